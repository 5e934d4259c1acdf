//! Codes and tokens of OAuth2.
//!
//! A code or token that can be used once is locked, looked at and marked in the transaction that gives
//! out what it is good for, so of two that come with it at once, to whichever node, one is too late.

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, GrantId};
use hookyard_core::model::{Application, CredentialKind, Grant, GrantVia, Scopes};
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;

use super::applications::{by_id, grant, revoke};
use super::columns::{Columns, Text, count};
use super::credentials::{self, scopes};
use super::database::Conn;
use super::{PostgresStore, audit};
use crate::audit::{GrantEnd, about_token};
use crate::oauth::{CODE_KEPT_MS, POLL_INTERVAL_MS};
use crate::{
    ACCESS_TOKENS_MAX, Code, DEVICE_CODES_MAX, DeviceCode, Entity, GRANTS_MAX, Issue,
    NewCredential, NewTokens, OAuthStore, Poll, SecretHash, StoreError, USED_REFRESH_TOKENS_MAX,
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
        Ok(found.map(|(code, _)| code))
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
        if waiting.get_as::<i64>(0)? >= count(DEVICE_CODES_MAX) {
            let message = format!("{DEVICE_CODES_MAX} devices wait for an answer already");
            return Err(StoreError::Conflict(message));
        }
        let sql = "INSERT INTO device_codes (hash, user_hash, application_id, scopes, expires_ms, \
                   interval_ms) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_hash) DO NOTHING";
        let (application, until) = (code.application.0, code.expires_at.as_millisecond());
        let (device, user) = (device.as_slice(), user.as_slice());
        let wanted = code.scopes.to_string();
        let row: [super::columns::Param<'_>; 6] =
            [&device, &user, &application, &wanted, &until, &POLL_INTERVAL_MS];
        if tx.execute(sql, &row).await? == 0 {
            return Err(StoreError::Conflict("the user's code is in use".to_owned()));
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
        let decision = if approved_by.is_some() { "approved" } else { "denied" };
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

/// Has the transaction be the only one that adds something to the application, which must be there.
async fn hold(tx: &Conn, application: ApplicationId) -> Result<(), StoreError> {
    let sql = "SELECT FROM applications WHERE id = $1 FOR NO KEY UPDATE";
    let there = tx.opt(sql, &[&application.0]).await?;
    there.map(drop).ok_or(StoreError::NotFound(Entity::Application))
}

/// Notes in the audit log what a person decided about an application, which must be there.
async fn note_decision(
    tx: &Conn,
    application: ApplicationId,
    approved: bool,
    via: GrantVia,
    scopes: Scopes,
) -> Result<(), StoreError> {
    let found = by_id(tx, application).await?;
    let workspace = found.ok_or(StoreError::NotFound(Entity::Application))?.workspace;
    let action = if approved { "application.approve" } else { "application.deny" };
    let detail = json!({ "via": via.as_str(), "scopes": scopes.to_string() });
    audit::note(tx, workspace, action, application, &detail).await
}

/// An application's code, and the grant that came of it.
async fn find_code(
    conn: &Conn,
    application: ApplicationId,
    hash: SecretHash,
) -> Result<Option<(Code, Option<GrantId>)>, StoreError> {
    let sql = "SELECT scopes, approved_by, redirect_uri, challenge, expires_ms, grant_id \
               FROM authorization_codes WHERE hash = $1 AND application_id = $2 FOR UPDATE";
    let row = conn.opt(sql, &[&hash.as_slice(), &application.0]).await?;
    row.map(|row| {
        let code = Code {
            scopes: scopes(&row.text(0)?),
            approved_by: CredentialId(row.get_as(1)?),
            redirect_uri: row.text(2)?,
            challenge: row.text_if(3)?,
            expires_at: row.moment(4)?,
        };
        Ok((code, row.get_as::<Option<i32>>(5)?.map(GrantId)))
    })
    .transpose()
}

async fn redeem_code(
    tx: &Conn,
    application: ApplicationId,
    hash: SecretHash,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Issue, StoreError> {
    let Some((code, used)) = find_code(tx, application, hash).await? else {
        return Ok(Issue::Unknown);
    };
    if let Some(grant) = used {
        revoke(tx, grant, GrantEnd::CodeReused).await?;
        return Ok(Issue::Reused);
    }
    if code.expires_at <= now {
        return Ok(Issue::Expired);
    }
    let yes = Yes {
        application,
        via: GrantVia::Code,
        scopes: code.scopes,
        approved_by: code.approved_by,
    };
    let id = yes.grant(tx, now).await?;
    let sql = "UPDATE authorization_codes SET grant_id = $2 WHERE hash = $1";
    tx.execute(sql, &[&hash.as_slice(), &id.0]).await?;
    issue(tx, id, "token.issue", tokens, now).await
}

/// What a person said yes to.
struct Yes {
    application: ApplicationId,
    via: GrantVia,
    scopes: Scopes,
    approved_by: CredentialId,
}

impl Yes {
    /// Makes a grant of it, and room for it.
    async fn grant(&self, tx: &Conn, now: Timestamp) -> Result<GrantId, StoreError> {
        hold(tx, self.application).await?;
        let sql = "SELECT id FROM grants WHERE application_id = $1 \
                   ORDER BY refreshed_ms DESC, id DESC OFFSET $2";
        let surplus = tx.query(sql, &[&self.application.0, &count(GRANTS_MAX - 1)]).await?;
        for row in &surplus {
            revoke(tx, GrantId(row.get_as(0)?), GrantEnd::TooMany).await?;
        }
        let sql = "INSERT INTO grants (application_id, via, scopes, approved_by, created_ms, \
                   refreshed_ms) VALUES ($1, $2, $3, $4, $5, $5) RETURNING id";
        let (via, allowed) = (self.via.as_str(), self.scopes.to_string());
        let (by, at) = (self.approved_by.0, now.as_millisecond());
        let row = tx.one(sql, &[&self.application.0, &via, &allowed, &by, &at]).await?;
        Ok(GrantId(row.get_as(0)?))
    }
}

/// Gives a grant its next tokens, and takes away those that are too many or too old. The action is
/// what the audit log calls it.
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
    let kind = CredentialKind::Token;
    let credential = NewCredential {
        expires_at: Some(tokens.access_expires_at),
        application: Some(grant.application),
        ..NewCredential::new(kind, grant.scopes, tokens.access, None, now)
    };
    let credential = credentials::insert(tx, grant.workspace, &credential).await?;
    let sql = "INSERT INTO access_tokens (credential_id, grant_id, expires_ms) VALUES ($1, $2, $3)";
    let until = tokens.access_expires_at.as_millisecond();
    tx.execute(sql, &[&credential.0, &grant.id.0, &until]).await?;
    Ok(credential)
}

/// Makes room for one more.
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
    let found = tx.opt(sql, &[&refresh.as_slice(), &application.0]).await?;
    let Some(row) = found else { return Ok(Issue::Unknown) };
    let grant = GrantId(row.get_as(0)?);
    if row.get_as(2)? {
        revoke(tx, grant, GrantEnd::RefreshTokenReused).await?;
        return Ok(Issue::Reused);
    }
    if row.moment_if(1)?.is_some_and(|expires| expires <= now) {
        return Ok(Issue::Expired);
    }
    let sql = "UPDATE refresh_tokens SET used = true WHERE hash = $1";
    tx.execute(sql, &[&refresh.as_slice()]).await?;
    let sql = "DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens \
               WHERE grant_id = $1 AND used ORDER BY id DESC OFFSET $2)";
    tx.execute(sql, &[&grant.0, &count(USED_REFRESH_TOKENS_MAX)]).await?;
    issue(tx, grant, "token.refresh", tokens, now).await
}

/// A device code as polling sees it.
struct Asked {
    scopes: Scopes,
    expires_at: Timestamp,
    interval_ms: i64,
    asked_ms: Option<i64>,
    decision: Option<String>,
    approved_by: Option<CredentialId>,
    grant: Option<GrantId>,
}

fn asked(row: &Row) -> Result<Asked, StoreError> {
    Ok(Asked {
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
    let found = tx.opt(sql, &[&device.as_slice(), &application.0]).await?;
    let Some(code) = found.as_ref().map(asked).transpose()? else {
        return Ok(Poll::Issue(Issue::Unknown));
    };
    if let Some(grant) = code.grant {
        revoke(tx, grant, GrantEnd::CodeReused).await?;
        return Ok(Poll::Issue(Issue::Reused));
    }
    if code.expires_at <= now {
        return Ok(Poll::Issue(Issue::Expired));
    }
    match (code.decision.as_deref(), code.approved_by) {
        (None, _) => wait(tx, device, &code, now.as_millisecond()).await,
        (Some("approved"), Some(approved_by)) => {
            let Asked { scopes, .. } = code;
            let yes = Yes { application, via: GrantVia::Device, scopes, approved_by };
            let id = yes.grant(tx, now).await?;
            let sql = "UPDATE device_codes SET grant_id = $2 WHERE hash = $1";
            tx.execute(sql, &[&device.as_slice(), &id.0]).await?;
            issue(tx, id, "token.issue", tokens, now).await.map(Poll::Issue)
        }
        _ => Ok(Poll::Denied),
    }
}

async fn wait(
    tx: &Conn,
    device: SecretHash,
    code: &Asked,
    now_ms: i64,
) -> Result<Poll, StoreError> {
    let too_soon = code.asked_ms.is_some_and(|asked| now_ms - asked < code.interval_ms);
    let interval_ms = code.interval_ms + if too_soon { POLL_INTERVAL_MS } else { 0 };
    let sql = "UPDATE device_codes SET asked_ms = $2, interval_ms = $3 WHERE hash = $1";
    tx.execute(sql, &[&device.as_slice(), &now_ms, &interval_ms]).await?;
    Ok(if too_soon { Poll::TooSoon } else { Poll::Pending })
}
