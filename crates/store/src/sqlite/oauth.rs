//! Codes and tokens of OAuth2.
//!
//! A code or token for one use is marked in the transaction that gives out the tokens, so of two simultaneous
//! presenters one is too late.

use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, GrantId};
use hookyard_core::model::{Application, CredentialKind, Grant, GrantVia, Scopes};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::access::Access;
use super::applications::{grant, one, revoke};
use super::credentials;
use super::rows::{count, moment};
use super::{SqliteStore, audit, failed};
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
impl OAuthStore for SqliteStore {
    async fn add_code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
        code: Code,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.change(move |conn| add_code(conn, application, hash, &code, now)).await
    }

    async fn note_denial(
        &self,
        application: ApplicationId,
        scopes: Scopes,
    ) -> Result<(), StoreError> {
        let note = move |conn: &Connection| {
            note_decision(conn, application, false, GrantVia::Code, scopes)
        };
        self.change(note).await
    }

    async fn code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
    ) -> Result<Option<Code>, StoreError> {
        let found = self.look(move |conn| find_code(conn, application, hash)).await?;
        Ok(found.map(|stored| stored.code))
    }

    async fn redeem_code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Issue, StoreError> {
        self.change(move |conn| redeem_code(conn, application, hash, &tokens, now)).await
    }

    async fn rotate_tokens(
        &self,
        application: ApplicationId,
        refresh: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Issue, StoreError> {
        self.change(move |conn| rotate(conn, application, refresh, &tokens, now)).await
    }

    async fn add_device_code(
        &self,
        device: SecretHash,
        user: SecretHash,
        code: DeviceCode,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.change(move |conn| add_device_code(conn, device, user, &code, now)).await
    }

    async fn waiting_device(
        &self,
        user: SecretHash,
        now: Timestamp,
    ) -> Result<Option<(Application, Scopes)>, StoreError> {
        self.look(move |conn| {
            let sql = "SELECT application_id, scopes FROM device_codes \
                       WHERE user_hash = ?1 AND decision IS NULL AND expires_ms > ?2";
            let stored = |row: &Row<'_>| Ok((row.get::<_, i32>(0)?, row.get::<_, String>(1)?));
            let found = optional(conn, sql, params![user, now.as_millisecond()], stored)?;
            let Some((id, wanted)) = found else { return Ok(None) };
            let application = one(conn, "id = ?1", &[&id])?;
            Ok(application.map(|application| (application, scopes(&wanted))))
        })
        .await
    }

    async fn decide_device(
        &self,
        user: SecretHash,
        approved_by: Option<CredentialId>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.change(move |conn| {
            let decision = redeem::decision(approved_by.is_some());
            let sql = "UPDATE device_codes SET decision = ?3, approved_by = ?4 \
                       WHERE user_hash = ?1 AND decision IS NULL AND expires_ms > ?2 \
                       RETURNING application_id, scopes";
            let person = approved_by.map(|id| id.0);
            let row = params![user, now.as_millisecond(), decision, person];
            let asked = |row: &Row<'_>| Ok((ApplicationId(row.get(0)?), row.get::<_, String>(1)?));
            let decided = optional(conn, sql, row, asked)?;
            if let Some((application, wanted)) = &decided {
                let approved = approved_by.is_some();
                note_decision(conn, *application, approved, GrantVia::Device, scopes(wanted))?;
            }
            Ok(decided.is_some())
        })
        .await
    }

    async fn poll_device(
        &self,
        application: ApplicationId,
        device: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Poll, StoreError> {
        self.change(move |conn| poll_device(conn, application, device, &tokens, now)).await
    }

    async fn revoke_token(
        &self,
        application: ApplicationId,
        token: SecretHash,
    ) -> Result<bool, StoreError> {
        self.change(move |conn| {
            let sql = "SELECT grants.id FROM grants WHERE application_id = ?1 AND grants.id IN ( \
                           SELECT grant_id FROM refresh_tokens WHERE hash = ?2 \
                           UNION \
                           SELECT grant_id FROM access_tokens \
                           JOIN credentials ON credentials.id = credential_id \
                           WHERE kind = ?3 AND lookup = ?2)";
            let token = params![application.0, token, CredentialKind::Token.as_str()];
            let found = optional(conn, sql, token, |row| row.get(0).map(GrantId))?;
            found.map_or(Ok(()), |grant| revoke(conn, grant, GrantEnd::GivenBack))?;
            Ok(found.is_some())
        })
        .await
    }
}

fn optional<T>(
    conn: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    conn.prepare_cached(sql)
        .and_then(|mut select| select.query_row(values, read).optional())
        .map_err(failed)
}

fn must_be(conn: &Connection, application: ApplicationId) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM applications WHERE id = ?1";
    let there = optional(conn, sql, params![application.0], |_| Ok(()))?;
    there.ok_or(StoreError::NotFound(Entity::Application))
}

/// Notes in the audit log a person's decision about an application, which must exist.
fn note_decision(
    conn: &Connection,
    application: ApplicationId,
    approved: bool,
    via: GrantVia,
    scopes: Scopes,
) -> Result<(), StoreError> {
    let found = one(conn, "id = ?1", &[&application.0])?;
    let workspace = found.ok_or(StoreError::NotFound(Entity::Application))?.workspace;
    let (action, detail) = redeem::about_decision(approved, via, scopes);
    audit::note(conn, workspace, action, application, &detail)
}

fn add_code(
    conn: &Connection,
    application: ApplicationId,
    hash: SecretHash,
    code: &Code,
    now: Timestamp,
) -> Result<(), StoreError> {
    must_be(conn, application)?;
    let old = "DELETE FROM authorization_codes WHERE expires_ms < ?1";
    conn.execute(old, [now.as_millisecond() - CODE_KEPT_MS]).map_err(failed)?;
    let sql = "INSERT INTO authorization_codes (hash, application_id, scopes, approved_by, \
               redirect_uri, challenge, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let row = params![
        hash,
        application.0,
        code.scopes.to_string(),
        code.approved_by.0,
        code.redirect_uri,
        code.challenge,
        code.expires_at.as_millisecond(),
    ];
    conn.execute(sql, row).map_err(failed)?;
    note_decision(conn, application, true, GrantVia::Code, code.scopes)
}

fn find_code(
    conn: &Connection,
    application: ApplicationId,
    hash: SecretHash,
) -> Result<Option<StoredCode>, StoreError> {
    let sql = "SELECT scopes, approved_by, redirect_uri, challenge, expires_ms, grant_id \
               FROM authorization_codes WHERE hash = ?1 AND application_id = ?2";
    optional(conn, sql, params![hash, application.0], stored_code)
}

fn stored_code(row: &Row<'_>) -> rusqlite::Result<StoredCode> {
    let code = Code {
        scopes: scopes(&row.get::<_, String>(0)?),
        approved_by: CredentialId(row.get(1)?),
        redirect_uri: row.get(2)?,
        challenge: row.get(3)?,
        expires_at: moment(row.get(4)?),
    };
    Ok(StoredCode { code, grant: row.get::<_, Option<i32>>(5)?.map(GrantId) })
}

fn redeem_code(
    conn: &Connection,
    application: ApplicationId,
    hash: SecretHash,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Issue, StoreError> {
    let found = find_code(conn, application, hash)?;
    let consent = match granted(conn, StoredCode::redeem(found, application, now))? {
        Ok(consent) => consent,
        Err(issue) => return Ok(issue),
    };
    let id = add_grant(conn, &consent, now)?;
    let sql = "UPDATE authorization_codes SET grant_id = ?2 WHERE hash = ?1";
    conn.execute(sql, params![hash, id.0]).map_err(failed)?;
    issue(conn, id, "token.issue", tokens, now)
}

/// Carries out a decision as far as no tokens are given out: `Err` is the caller's answer.
fn granted<T>(conn: &Connection, decided: Redemption<T>) -> Result<Result<T, Issue>, StoreError> {
    match decided {
        Redemption::Granted(granted) => Ok(Ok(granted)),
        Redemption::Refused(issue) => Ok(Err(issue)),
        Redemption::Reused(grant, end) => {
            revoke(conn, grant, end)?;
            Ok(Err(Issue::Reused))
        }
    }
}

/// Makes a grant from a consent. The application's grants beyond [`GRANTS_MAX`] end, the least recently
/// refreshed first.
fn add_grant(conn: &Connection, consent: &Consent, now: Timestamp) -> Result<GrantId, StoreError> {
    let Consent { application, via, scopes, approved_by } = consent;
    let sql = "SELECT id FROM grants WHERE application_id = ?1 \
               ORDER BY refreshed_ms DESC, id DESC LIMIT -1 OFFSET ?2";
    let surplus = column(conn, sql, params![application.0, count(GRANTS_MAX - 1)])?;
    surplus.into_iter().try_for_each(|id| revoke(conn, GrantId(id), GrantEnd::TooMany))?;
    let sql = "INSERT INTO grants (application_id, via, scopes, approved_by, created_ms, \
               refreshed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    let row = params![
        application.0,
        via.as_str(),
        scopes.to_string(),
        approved_by.0,
        now.as_millisecond(),
    ];
    conn.execute(sql, row).map_err(failed)?;
    let id = i32::try_from(conn.last_insert_rowid());
    id.map(GrantId).map_err(|_| StoreError::internal("grant numbers are used up"))
}

fn column(conn: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<i32>, StoreError> {
    let mut select = conn.prepare_cached(sql).map_err(failed)?;
    let rows = select.query_map(values, |row| row.get(0)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Gives a grant the next tokens, and takes away surplus and outdated tokens. `action` names the deed in the
/// audit log.
fn issue(
    conn: &Connection,
    id: GrantId,
    action: &str,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Issue, StoreError> {
    let sql = "UPDATE grants SET refreshed_ms = ?2 WHERE id = ?1";
    conn.execute(sql, params![id.0, now.as_millisecond()]).map_err(failed)?;
    let Some(grant) = grant(conn, id)? else { return Ok(Issue::Unknown) };
    drop_old_access_tokens(conn, id, now)?;
    let credential = add_access_token(conn, &grant, tokens, now)?;
    audit::note(conn, grant.workspace, action, id, &about_token(&grant, credential))?;
    let sql =
        "INSERT INTO refresh_tokens (hash, grant_id, expires_ms, used) VALUES (?1, ?2, ?3, 0)";
    let expires = tokens.refresh_expires_at.map(Timestamp::as_millisecond);
    conn.execute(sql, params![tokens.refresh, id.0, expires]).map_err(failed)?;
    Ok(Issue::Issued(grant))
}

fn add_access_token(
    conn: &Connection,
    grant: &Grant,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<CredentialId, StoreError> {
    let credential = redeem::access_credential(grant, tokens, now);
    let credential = credentials::insert(conn, grant.workspace, &credential)?;
    let sql = "INSERT INTO access_tokens (credential_id, grant_id, expires_ms) VALUES (?1, ?2, ?3)";
    let row = params![credential.0, grant.id.0, tokens.access_expires_at.as_millisecond()];
    conn.execute(sql, row).map_err(failed)?;
    Ok(credential)
}

/// Makes room for another token.
fn drop_old_access_tokens(
    conn: &Connection,
    grant: GrantId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM credentials WHERE id IN ( \
                   SELECT credential_id FROM access_tokens WHERE grant_id = ?1 AND expires_ms <= ?2 \
               ) OR id IN ( \
                   SELECT credential_id FROM access_tokens WHERE grant_id = ?1 \
                   ORDER BY credential_id DESC LIMIT -1 OFFSET ?3)";
    let room = count(ACCESS_TOKENS_MAX - 1);
    conn.execute(sql, params![grant.0, now.as_millisecond(), room]).map_err(failed)?;
    Ok(())
}

fn rotate(
    conn: &Connection,
    application: ApplicationId,
    refresh: SecretHash,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Issue, StoreError> {
    let sql = "SELECT grant_id, refresh_tokens.expires_ms, used FROM refresh_tokens \
               JOIN grants ON grants.id = grant_id WHERE hash = ?1 AND application_id = ?2";
    let stored = |row: &Row<'_>| {
        Ok(StoredRefresh {
            grant: GrantId(row.get(0)?),
            expires_at: row.get::<_, Option<i64>>(1)?.map(moment),
            used: row.get(2)?,
        })
    };
    let found = optional(conn, sql, params![refresh, application.0], stored)?;
    let grant = match granted(conn, StoredRefresh::redeem(found, now))? {
        Ok(grant) => grant,
        Err(issue) => return Ok(issue),
    };
    let sql = "UPDATE refresh_tokens SET used = 1 WHERE hash = ?1";
    conn.execute(sql, [refresh]).map_err(failed)?;
    let sql = "DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens \
               WHERE grant_id = ?1 AND used ORDER BY id DESC LIMIT -1 OFFSET ?2)";
    conn.execute(sql, params![grant.0, count(USED_REFRESH_TOKENS_MAX)]).map_err(failed)?;
    issue(conn, grant, "token.refresh", tokens, now)
}

fn add_device_code(
    conn: &Connection,
    device: SecretHash,
    user: SecretHash,
    code: &DeviceCode,
    now: Timestamp,
) -> Result<(), StoreError> {
    must_be(conn, code.application)?;
    let old = "DELETE FROM device_codes WHERE expires_ms < ?1";
    conn.execute(old, [now.as_millisecond() - CODE_KEPT_MS]).map_err(failed)?;
    let sql = "SELECT count(*) FROM device_codes \
               WHERE application_id = ?1 AND decision IS NULL AND expires_ms > ?2";
    let waiting = params![code.application.0, now.as_millisecond()];
    let waiting = optional(conn, sql, waiting, |row| row.get::<_, i64>(0))?;
    redeem::may_wait(waiting.unwrap_or_default())?;
    let taken = "SELECT 1 FROM device_codes WHERE user_hash = ?1";
    if optional(conn, taken, params![user], |_| Ok(()))?.is_some() {
        return Err(redeem::user_code_taken());
    }
    let sql = "INSERT INTO device_codes (hash, user_hash, application_id, scopes, expires_ms, \
               interval_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = params![
        device,
        user,
        code.application.0,
        code.scopes.to_string(),
        code.expires_at.as_millisecond(),
        POLL_INTERVAL_MS,
    ];
    conn.execute(sql, row).map_err(failed)?;
    Ok(())
}

fn stored_device(row: &Row<'_>) -> rusqlite::Result<StoredDevice> {
    Ok(StoredDevice {
        scopes: scopes(&row.get::<_, String>(0)?),
        expires_at: moment(row.get(1)?),
        interval_ms: row.get(2)?,
        asked_ms: row.get(3)?,
        decision: row.get(4)?,
        approved_by: row.get::<_, Option<i32>>(5)?.map(CredentialId),
        grant: row.get::<_, Option<i32>>(6)?.map(GrantId),
    })
}

fn poll_device(
    conn: &Connection,
    application: ApplicationId,
    device: SecretHash,
    tokens: &NewTokens,
    now: Timestamp,
) -> Result<Poll, StoreError> {
    let sql = "SELECT scopes, expires_ms, interval_ms, asked_ms, decision, approved_by, grant_id \
               FROM device_codes WHERE hash = ?1 AND application_id = ?2";
    let found = optional(conn, sql, params![device, application.0], stored_device)?;
    let decided = match StoredDevice::poll(found, application, now) {
        DeviceStep::Redeem(decided) => decided,
        DeviceStep::Denied => return Ok(Poll::Denied),
        DeviceStep::Wait { interval_ms, answer } => {
            let sql = "UPDATE device_codes SET asked_ms = ?2, interval_ms = ?3 WHERE hash = ?1";
            let row = params![device, now.as_millisecond(), interval_ms];
            conn.execute(sql, row).map_err(failed)?;
            return Ok(answer);
        }
    };
    let consent = match granted(conn, decided)? {
        Ok(consent) => consent,
        Err(issue) => return Ok(Poll::Issue(issue)),
    };
    let id = add_grant(conn, &consent, now)?;
    let sql = "UPDATE device_codes SET grant_id = ?2 WHERE hash = ?1";
    conn.execute(sql, params![device, id.0]).map_err(failed)?;
    issue(conn, id, "token.issue", tokens, now).map(Poll::Issue)
}
