//! What suites and tools ask of a table or an account beside items and indexes: point-in-time
//! recovery and resource policies, which are kept and change nothing here; limits; and the lists of
//! what the engine never has.

use super::Dynamo;
use super::dispatch::encode;
use super::refusal::{self, Outcome, Refusal};
use dynoxide::DynoxideError;
use dynoxide::storage::Storage;
use rusqlite::{OptionalExtension, params};
use serde::Deserialize;
use serde_json::{Value, json};

/// A table, or a stream of one (`table/stream/label`), which can have a policy of its own.
/// `recovery_s` is the second since which a table can be restored, were there a restore.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS _callboard_settings (\
     resource TEXT PRIMARY KEY, recovery_s INTEGER, recovery_days INTEGER, \
     policy TEXT, revision TEXT)";
/// Days that can be gone back, when no number is asked for, and the most (AWS,
/// PointInTimeRecoverySpecification: 1 to 35).
const RECOVERY_DAYS: i64 = 35;
/// AWS, "Quotas in Amazon DynamoDB": initial throughput of an account and of a table.
const ACCOUNT_UNITS: u32 = 80_000;
const TABLE_UNITS: u32 = 40_000;
/// The largest resource policy (AWS, PutResourcePolicy: 20 KB).
const POLICY_BYTES_MAX: usize = 20 * 1024;

/// Makes what is kept here.
pub(super) fn prepare(storage: &Storage) -> dynoxide::Result<()> {
    Ok(storage.conn().execute_batch(TABLE)?)
}

/// Forgets the settings of a table that is deleted.
pub(super) fn forget(storage: &Storage, table: &str) -> Outcome<()> {
    storage.conn().execute(
        "DELETE FROM _callboard_settings WHERE resource = ?1 OR resource GLOB ?1 || '/*'",
        params![table],
    )?;
    Ok(())
}

impl Dynamo {
    pub(super) fn dispatch_setting(&self, operation: &str, body: &str) -> Option<Outcome<String>> {
        Some(match operation {
            "DescribeContinuousBackups" => self.continuous_backups(body),
            "UpdateContinuousBackups" => self.update_continuous_backups(body),
            "PutResourcePolicy" => put_policy(&self.storage(), body),
            "GetResourcePolicy" => get_policy(&self.storage(), body),
            "DeleteResourcePolicy" => delete_policy(&self.storage(), body),
            "DescribeLimits" => encode(&json!({
                "AccountMaxReadCapacityUnits": ACCOUNT_UNITS,
                "AccountMaxWriteCapacityUnits": ACCOUNT_UNITS,
                "TableMaxReadCapacityUnits": TABLE_UNITS,
                "TableMaxWriteCapacityUnits": TABLE_UNITS,
            })),
            "DescribeEndpoints" => encode(&json!({ "Endpoints": [{
                "Address": format!("dynamodb.{}.amazonaws.com", self.arns.region()),
                "CachePeriodInMinutes": 1440,
            }]})),
            "ListBackups" => encode(&json!({ "BackupSummaries": [] })),
            "ListGlobalTables" => encode(&json!({ "GlobalTables": [] })),
            "ListExports" => encode(&json!({ "ExportSummaries": [] })),
            "ListImports" => encode(&json!({ "ImportSummaryList": [] })),
            _ => return None,
        })
    }

    fn continuous_backups(&self, body: &str) -> Outcome<String> {
        let storage = self.storage();
        let table = table_of(&storage, body)?;
        let kept: Option<(Option<i64>, Option<i64>)> = storage
            .conn()
            .query_row(
                "SELECT recovery_s, recovery_days FROM _callboard_settings WHERE resource = ?1",
                params![table],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let recovery = match kept {
            Some((Some(since_s), days)) => {
                let days = days.unwrap_or(RECOVERY_DAYS);
                let now_s = self.clock.now_ms() / 1000;
                json!({
                    "PointInTimeRecoveryStatus": "ENABLED",
                    "RecoveryPeriodInDays": days,
                    "EarliestRestorableDateTime": since_s.max(now_s - days * 24 * 3600),
                    "LatestRestorableDateTime": now_s,
                })
            }
            _ => json!({ "PointInTimeRecoveryStatus": "DISABLED" }),
        };
        encode(&json!({ "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        }}))
    }

    fn update_continuous_backups(&self, body: &str) -> Outcome<String> {
        let request: RecoveryRequest = refusal::decode(body)?;
        let Recovery { enabled, days } = request.point_in_time_recovery_specification;
        if let Some(days) = days.filter(|days| !(1..=RECOVERY_DAYS).contains(days)) {
            let message = format!(
                "1 validation error detected: Value '{days}' at \
                 'pointInTimeRecoverySpecification.recoveryPeriodInDays' failed to satisfy \
                 constraint: Member must have value between 1 and {RECOVERY_DAYS}"
            );
            return Err(DynoxideError::ValidationException(message).into());
        }
        {
            let storage = self.storage();
            let table = table_of(&storage, body)?;
            let since_s = enabled.then(|| self.clock.now_ms() / 1000);
            storage.conn().execute(
                "INSERT INTO _callboard_settings (resource, recovery_s, recovery_days) \
                 VALUES (?1, ?2, ?3) ON CONFLICT (resource) DO UPDATE SET \
                 recovery_s = iif(?2 IS NULL, NULL, coalesce(recovery_s, ?2)), recovery_days = ?3",
                params![table, since_s, days.filter(|_| enabled)],
            )?;
        }
        self.continuous_backups(body)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecoveryRequest {
    point_in_time_recovery_specification: Recovery,
}

#[derive(Deserialize)]
struct Recovery {
    #[serde(rename = "PointInTimeRecoveryEnabled")]
    enabled: bool,
    #[serde(rename = "RecoveryPeriodInDays")]
    days: Option<i64>,
}

fn table_of(storage: &Storage, body: &str) -> Outcome<String> {
    let request: Value = refusal::decode(body)?;
    let Some(name) = request["TableName"].as_str() else {
        let message = "The parameter 'TableName' is required but was not present in the request";
        return Err(DynoxideError::ValidationException(message.to_owned()).into());
    };
    if storage.get_table_metadata(name)?.is_none() {
        return Err(Refusal::Named {
            name: "TableNotFoundException",
            message: format!("Table not found: {name}"),
        });
    }
    Ok(name.to_owned())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyRequest {
    resource_arn: String,
    policy: Option<String>,
    expected_revision_id: Option<String>,
}

/// What a resource policy is asked of: a request, its table, and the policy it has.
struct Policed {
    request: PolicyRequest,
    /// The resource within the account: `table/name`, or a stream of it.
    resource: String,
    present: Option<(String, String)>,
}

fn policed(storage: &Storage, body: &str) -> Outcome<Policed> {
    let request: PolicyRequest = refusal::decode(body)?;
    let arn = &request.resource_arn;
    let missing = || {
        let message = format!("Requested resource not found: ResourceArn: {arn} not found");
        Refusal::from(DynoxideError::ResourceNotFoundException(message))
    };
    let (_, resource) = arn.split_once(":table/").ok_or_else(missing)?;
    let table = resource.split('/').next().unwrap_or_default();
    if storage.get_table_metadata(table)?.is_none() {
        return Err(missing());
    }
    let resource = resource.to_owned();
    let present = storage
        .conn()
        .query_row(
            "SELECT policy, revision FROM _callboard_settings \
             WHERE resource = ?1 AND policy IS NOT NULL",
            params![resource],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let known = present
        .as_ref()
        .map(|(_, revision): &(String, String)| revision.as_str());
    match request.expected_revision_id.as_deref() {
        None => {}
        Some("NO_POLICY") if known.is_none() => {}
        Some(expected) if known == Some(expected) => {}
        Some(_) => return Err(no_policy(&resource)),
    }
    Ok(Policed {
        request,
        resource,
        present,
    })
}

fn no_policy(resource: &str) -> Refusal {
    Refusal::Named {
        name: "PolicyNotFoundException",
        message: format!(
            "Resource-based policy not found for the provided ResourceArn: {resource}"
        ),
    }
}

fn put_policy(storage: &Storage, body: &str) -> Outcome<String> {
    let policed = policed(storage, body)?;
    let policy = policed.request.policy.unwrap_or_default();
    let readable = serde_json::from_str::<Value>(&policy).is_ok_and(|policy| policy.is_object());
    if !readable || policy.len() > POLICY_BYTES_MAX {
        let message = "Invalid resource-based policy document".to_owned();
        return Err(DynoxideError::ValidationException(message).into());
    }
    let revision = match policed.present {
        Some((present, revision)) if present == policy => revision,
        _ => fastrand::u64(1_000_000_000_000..).to_string(),
    };
    storage.conn().execute(
        "INSERT INTO _callboard_settings (resource, policy, revision) VALUES (?1, ?2, ?3) \
         ON CONFLICT (resource) DO UPDATE SET policy = ?2, revision = ?3",
        params![policed.resource, policy, revision],
    )?;
    encode(&json!({ "RevisionId": revision }))
}

fn get_policy(storage: &Storage, body: &str) -> Outcome<String> {
    let policed = policed(storage, body)?;
    let Some((policy, revision)) = policed.present else {
        return Err(no_policy(&policed.request.resource_arn));
    };
    encode(&json!({ "Policy": policy, "RevisionId": revision }))
}

fn delete_policy(storage: &Storage, body: &str) -> Outcome<String> {
    let policed = policed(storage, body)?;
    storage.conn().execute(
        "UPDATE _callboard_settings SET policy = NULL, revision = NULL WHERE resource = ?1",
        params![policed.resource],
    )?;
    // Deleting what is not there succeeds, and names no revision.
    encode(&match policed.present {
        Some((_, revision)) => json!({ "RevisionId": revision }),
        None => json!({}),
    })
}
