//! Codes and tokens of OAuth2.
//!
//! A code or token for one use is locked, read and marked in the transaction that gives out the tokens. So of
//! two simultaneous presenters, at any nodes, one is too late.

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, GrantId};
use hookyard_core::model::{Application, CredentialKind, Grant, GrantVia, Scopes};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::applications::{by_id, grant, revoke};
use super::columns::{Columns, Text, count};
use super::credentials;
use super::database::Conn;
use super::{PostgresStore, audit};
use crate::audit::{GrantEnd, about_token};
use crate::credentials::scopes;
use crate::oauth::{CODE_KEPT_MS, POLL_INTERVAL_MS};
use crate::redeem::{
    self, Consent, DeviceStep, Redemption, StoredCode, StoredDevice, StoredRefresh,
};
use crate::{
    ACCESS_TOKENS_MAX, Code, DeviceCode, Entity, GRANTS_MAX, Issue, NewTokens, OAuthStore, Poll,
    SecretHash, StoreError, USED_REFRESH_TOKENS_MAX,
};

#[async_trait]
impl OAuthStore for PostgresStore {
    async fn add_code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
        code: Code,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        hold(&tx, application).await?;
        let old = "DELETE FROM authorization_codes WHERE expires_ms < $1";
        tx.execute(old, &[&(now.as_millisecond() - CODE_KEPT_MS)]).await?;
        let sql = "INSERT INTO authorization_codes (hash, application_id, scopes, approved_by, \
                   redirect_uri, challenge, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        tx.execute(
            sql,
            &[
                &hash.as_slice(),
                &application.0,
                &code.scopes.to_string(),
                &code.approved_by.0,
                &Text(&code.redirect_uri),
                &code.challenge.as_deref().map(Text),
                &code.expires_at.as_millisecond(),
            ],
        )
        .await?;
        note_decision(&tx, application, true, GrantVia::Code, code.scopes).await?;
        tx.commit().await
    }

    async fn note_denial(
        &self,
        application: ApplicationId,
        scopes: Scopes,
    ) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        note_decision(&tx, application, false, GrantVia::Code, scopes).await?;
        tx.commit().await
    }

    async fn code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
    ) -> Result<Option<Code>, StoreError> {
        let found = find_code(&self.db.get().await?, application, hash).await?;
        Ok(found.map(|stored| stored.code))
    }

    async fn redeem_code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Issue, StoreError> {
        let tx = self.db.begin().await?;
        let issued = redeem_code(&tx, application, hash, &tokens, now).await?;
        tx.commit().await?;
        Ok(issued)
    }

    async fn rotate_tokens(
        &self,
        application: ApplicationId,
        refresh: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Issue, StoreError> {
        let tx = self.db.begin().await?;
        let issued = rotate(&tx, application, refresh, &tokens, now).await?;
        tx.commit().await?;
        Ok(issued)
    }

    async fn add_device_code(
        &self,
        device: SecretHash,
        user: SecretHash,
        code: DeviceCode,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        hold(&tx, code.application).await?;
        let old = "DELETE FROM device_codes WHERE expires_ms < $1";
        tx.execute(old, &[&(now.as_millisecond() - CODE_KEPT_MS)]).await?;
        let sql = "SELECT count(*) FROM device_codes \
                   WHERE application_id = $1 AND decision IS NULL AND expires_ms > $2";
        let waiting = tx.one(sql, &[&code.application.0, &now.as_millisecond()]).await?;
        redeem::may_wait(waiting.get_as(0)?)?;
        let sql = "INSERT INTO device_codes (hash, user_hash, application_id, scopes, expires_ms, \
                   interval_ms) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_hash) DO NOTHING";
        let (application, until) = (code.application.0, code.expires_at.as_millisecond());
        let (device, user) = (device.as_slice(), user.as_slice());
        let wanted = code.scopes.to_string();
        let row: [super::columns::Param<'_>; 6] =
            [&device, &user, &application, &wanted, &until, &POLL_INTERVAL_MS];
        if tx.execute(sql, &row).await? == 0 {
            return Err(redeem::user_code_taken());
        }
        tx.commit().await
    }

    async fn waiting_device(
        &self,
        user: SecretHash,
        now: Timestamp,
    ) -> Result<Option<(Application, Scopes)>, StoreError> {
        let sql = "SELECT application_id, scopes FROM device_codes \
                   WHERE user_hash = $1 AND decision IS NULL AND expires_ms > $2";
        let conn = self.db.get().await?;
        let row = conn.opt(sql, &[&user.as_slice(), &now.as_millisecond()]).await?;
        let Some(row) = row else { return Ok(None) };
        let wanted = scopes(&row.text(1)?);
        let application = by_id(&conn, ApplicationId(row.get_as(0)?)).await?;
        Ok(application.map(|application| (application, wanted)))
    }

    async fn decide_device(
        &self,
        user: SecretHash,
        approved_by: Option<CredentialId>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let decision = redeem::decision(approved_by.is_some());
        let sql = "UPDATE device_codes SET decision = $3, approved_by = $4 \
                   WHERE user_hash = $1 AND decision IS NULL AND expires_ms > $2 \
                   RETURNING application_id, scopes";
        let (person, now) = (approved_by.map(|id| id.0), now.as_millisecond());
        let tx = self.db.begin().await?;
        let decided = tx.opt(sql, &[&user.as_slice(), &now, &decision, &person]).await?;
        if let Some(row) = &decided {
            let (application, wanted) = (ApplicationId(row.get_as(0)?), scopes(&row.text(1)?));
            let approved = approved_by.is_some();
            note_decision(&tx, application, approved, GrantVia::Device, wanted).await?;
        }
        tx.commit().await?;
        Ok(decided.is_some())
    }

    async fn poll_device(
        &self,
        application: ApplicationId,
        device: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Poll, StoreError> {
        let tx = self.db.begin().await?;
        let polled = poll_device(&tx, application, device, &tokens, now).await?;
        tx.commit().await?;
        Ok(polled)
    }

    async fn revoke_token(
        &self,
        application: ApplicationId,
        token: SecretHash,
    ) -> Result<bool, StoreError> {
        let tx = self.db.begin().await?;
        let sql = "SELECT g.id FROM grants g WHERE g.application_id = $1 AND g.id IN ( \
                   SELECT grant_id FROM refresh_tokens WHERE hash = $2 UNION \
                   SELECT grant_id FROM access_tokens JOIN credentials c ON c.id = credential_id \
                   WHERE c.kind = $3 AND c.lookup = $2)";
        let kind = CredentialKind::Token.as_str();
        let row = tx.opt(sql, &[&application.0, &token.as_slice(), &kind]).await?;
        let Some(row) = row else { return Ok(false) };
        revoke(&tx, GrantId(row.get_as(0)?), GrantEnd::GivenBack).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Locks the application, which must exist, against additions by other transactions.
async fn hold(tx: &Conn, application: ApplicationId) -> Result<(), StoreError> {
    let sql = "SELECT FROM applications WHERE id = $1 FOR NO KEY UPDATE";
    let there = tx.opt(sql, &[&application.0]).await?;
    there.map(drop).ok_or(StoreError::NotFound(Entity::Application))
}

/// Notes in the audit log a person's decision about an application, which must exist.
async fn note_decision(
    tx: &Conn,
    application: ApplicationId,
    approved: bool,
    via: GrantVia,
    scopes: Scopes,
) -> Result<(), StoreError> {
    let found = by_id(tx, application).await?;
    let workspace = found.ok_or(StoreError::NotFound(Entity::Application))?.workspace;
    let (action, detail) = redeem::about_decision(approved, via, scopes);
    audit::note(tx, workspace, action, application, &detail).await
}

/// An application's code, locked against redemption by other transactions until this transaction ends.
async fn find_code(
    conn: &Conn,
    application: ApplicationId,
    hash: SecretHash,
) -> Result<Option<StoredCode>, StoreError> {
    let sql = "SELECT scopes, approved_by, redirect_uri, challenge, expires_ms, grant_id \
               FROM authorization_codes WHERE hash = $1 AND application_id = $2 FOR UPDATE";
    let row = conn.opt(sql, &[&hash.as_slice(), &application.0]).await?;
    row.as_ref().map(stored_code).transpose()
}

fn stored_code(row: &Row) -> Result<StoredCode, StoreError> {
    let code = Code {
        scopes: scopes(&row.text(0)?),
        approved_by: CredentialId(row.get_as(1)?),
        redirect_uri: row.text(2)?,
        challenge: row.text_if(3)?,
        expires_at: row.moment(4)?,
    };
    Ok(StoredCode { code, grant: row.get_as::<Option<i32>>(5)?.map(GrantId) })
}

async fn redeem_code(
    tx: &Conn,
    application: ApplicationId,
    hash: SecretHash,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Issue, StoreError> {
    let found = find_code(tx, application, hash).await?;
    let consent = match granted(tx, StoredCode::redeem(found, application, now)).await? {
        Ok(consent) => consent,
        Err(issue) => return Ok(issue),
    };
    let id = add_grant(tx, &consent, now).await?;
    let sql = "UPDATE authorization_codes SET grant_id = $2 WHERE hash = $1";
    tx.execute(sql, &[&hash.as_slice(), &id.0]).await?;
    issue(tx, id, "token.issue", tokens, now).await
}

/// Carries out a decision as far as no tokens are given out: `Err` is the caller's answer.
async fn granted<T>(tx: &Conn, decided: Redemption<T>) -> Result<Result<T, Issue>, StoreError> {
    match decided {
        Redemption::Granted(granted) => Ok(Ok(granted)),
        Redemption::Refused(issue) => Ok(Err(issue)),
        Redemption::Reused(grant, end) => {
            revoke(tx, grant, end).await?;
            Ok(Err(Issue::Reused))
        }
    }
}

/// Makes a grant from a consent. The application's grants beyond [`GRANTS_MAX`] end, the least recently
/// refreshed first.
async fn add_grant(tx: &Conn, consent: &Consent, now: Timestamp) -> Result<GrantId, StoreError> {
    let Consent { application, via, scopes, approved_by } = consent;
    hold(tx, *application).await?;
    let sql = "SELECT id FROM grants WHERE application_id = $1 \
               ORDER BY refreshed_ms DESC, id DESC OFFSET $2";
    let surplus = tx.query(sql, &[&application.0, &count(GRANTS_MAX - 1)]).await?;
    for row in &surplus {
        revoke(tx, GrantId(row.get_as(0)?), GrantEnd::TooMany).await?;
    }
    let sql = "INSERT INTO grants (application_id, via, scopes, approved_by, created_ms, \
               refreshed_ms) VALUES ($1, $2, $3, $4, $5, $5) RETURNING id";
    let (via, allowed, at) = (via.as_str(), scopes.to_string(), now.as_millisecond());
    let row = tx.one(sql, &[&application.0, &via, &allowed, &approved_by.0, &at]).await?;
    Ok(GrantId(row.get_as(0)?))
}

/// Gives a grant the next tokens, and takes away surplus and outdated tokens. `action` names the deed in the
/// audit log.
async fn issue(
    tx: &Conn,
    id: GrantId,
    action: &str,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Issue, StoreError> {
    let sql = "UPDATE grants SET refreshed_ms = $2 WHERE id = $1";
    tx.execute(sql, &[&id.0, &now.as_millisecond()]).await?;
    let Some(grant) = grant(tx, id).await? else { return Ok(Issue::Unknown) };
    drop_old_access_tokens(tx, id, now).await?;
    let credential = add_access_token(tx, &grant, tokens, now).await?;
    audit::note(tx, grant.workspace, action, id, &about_token(&grant, credential)).await?;
    let sql = "INSERT INTO refresh_tokens (hash, grant_id, expires_ms, used) \
               VALUES ($1, $2, $3, false)";
    let expires = tokens.refresh_expires_at.map(Timestamp::as_millisecond);
    tx.execute(sql, &[&tokens.refresh.as_slice(), &id.0, &expires]).await?;
    Ok(Issue::Issued(grant))
}

async fn add_access_token(
    tx: &Conn,
    grant: &Grant,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<CredentialId, StoreError> {
    let credential = redeem::access_credential(grant, tokens, now);
    let credential = credentials::insert(tx, grant.workspace, &credential).await?;
    let sql = "INSERT INTO access_tokens (credential_id, grant_id, expires_ms) VALUES ($1, $2, $3)";
    let until = tokens.access_expires_at.as_millisecond();
    tx.execute(sql, &[&credential.0, &grant.id.0, &until]).await?;
    Ok(credential)
}

/// Makes room for another token.
async fn drop_old_access_tokens(
    tx: &Conn,
    grant: GrantId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM credentials WHERE id IN ( \
                   SELECT credential_id FROM access_tokens WHERE grant_id = $1 AND expires_ms <= $2 \
               ) OR id IN ( \
                   SELECT credential_id FROM access_tokens WHERE grant_id = $1 \
                   ORDER BY credential_id DESC OFFSET $3)";
    let room = count(ACCESS_TOKENS_MAX - 1);
    tx.execute(sql, &[&grant.0, &now.as_millisecond(), &room]).await.map(drop)
}

async fn rotate(
    tx: &Conn,
    application: ApplicationId,
    refresh: SecretHash,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Issue, StoreError> {
    let sql = "SELECT t.grant_id, t.expires_ms, t.used FROM refresh_tokens t \
               JOIN grants g ON g.id = t.grant_id WHERE t.hash = $1 AND g.application_id = $2 \
               FOR UPDATE OF t";
    let row = tx.opt(sql, &[&refresh.as_slice(), &application.0]).await?;
    let found = row.as_ref().map(stored_refresh).transpose()?;
    let grant = match granted(tx, StoredRefresh::redeem(found, now)).await? {
        Ok(grant) => grant,
        Err(issue) => return Ok(issue),
    };
    let sql = "UPDATE refresh_tokens SET used = true WHERE hash = $1";
    tx.execute(sql, &[&refresh.as_slice()]).await?;
    let sql = "DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens \
               WHERE grant_id = $1 AND used ORDER BY id DESC OFFSET $2)";
    tx.execute(sql, &[&grant.0, &count(USED_REFRESH_TOKENS_MAX)]).await?;
    issue(tx, grant, "token.refresh", tokens, now).await
}

fn stored_refresh(row: &Row) -> Result<StoredRefresh, StoreError> {
    Ok(StoredRefresh {
        grant: GrantId(row.get_as(0)?),
        expires_at: row.moment_if(1)?,
        used: row.get_as(2)?,
    })
}

fn stored_device(row: &Row) -> Result<StoredDevice, StoreError> {
    Ok(StoredDevice {
        scopes: scopes(&row.text(0)?),
        expires_at: row.moment(1)?,
        interval_ms: row.get_as(2)?,
        asked_ms: row.get_as(3)?,
        decision: row.text_if(4)?,
        approved_by: row.get_as::<Option<i32>>(5)?.map(CredentialId),
        grant: row.get_as::<Option<i32>>(6)?.map(GrantId),
    })
}

async fn poll_device(
    tx: &Conn,
    application: ApplicationId,
    device: SecretHash,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Poll, StoreError> {
    let sql = "SELECT scopes, expires_ms, interval_ms, asked_ms, decision, approved_by, grant_id \
               FROM device_codes WHERE hash = $1 AND application_id = $2 FOR UPDATE";
    let row = tx.opt(sql, &[&device.as_slice(), &application.0]).await?;
    let found = row.as_ref().map(stored_device).transpose()?;
    let decided = match StoredDevice::poll(found, application, now) {
        DeviceStep::Redeem(decided) => decided,
        DeviceStep::Denied => return Ok(Poll::Denied),
        DeviceStep::Wait { interval_ms, answer } => {
            let sql = "UPDATE device_codes SET asked_ms = $2, interval_ms = $3 WHERE hash = $1";
            let asked_ms = now.as_millisecond();
            tx.execute(sql, &[&device.as_slice(), &asked_ms, &interval_ms]).await?;
            return Ok(answer);
        }
    };
    let consent = match granted(tx, decided).await? {
        Ok(consent) => consent,
        Err(issue) => return Ok(Poll::Issue(issue)),
    };
    let id = add_grant(tx, &consent, now).await?;
    let sql = "UPDATE device_codes SET grant_id = $2 WHERE hash = $1";
    tx.execute(sql, &[&device.as_slice(), &id.0]).await?;
    issue(tx, id, "token.issue", tokens, now).await.map(Poll::Issue)
}
