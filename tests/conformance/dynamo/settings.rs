//! What hangs on a table or an account: tags, point-in-time recovery, resource policies, limits.

use crate::prelude::*;

const TAG: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html";
const UNTAG: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UntagResource.html";
const BACKUPS: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html";
const RECOVERY: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html";
const POLICY: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html";
const LIMITS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html";
const ENDPOINTS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeEndpoints.html";

/// The tags of a table, by key.
async fn tags(aws: &Aws, table: &Table) -> Result<Vec<(String, String)>> {
    let input = json!({"ResourceArn": table.arn});
    let reply = aws.dynamo("ListTagsOfResource", input).await?.ok()?;
    let tag = |tag: &Value| {
        let text = |name: &str| tag[name].as_str().unwrap_or_default().to_owned();
        (text("Key"), text("Value"))
    };
    let mut tags: Vec<_> = reply.list_at("/Tags").iter().map(tag).collect();
    tags.sort();
    Ok(tags)
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = expected.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

checks! {
    TAG => async fn tags_are_added_and_replaced(aws: Aws) {
        let made = json!({"Tags": [{"Key": "team", "Value": "a"}, {"Key": "cost", "Value": "1"}]});
        let table = aws.table("tagged", made).await?;
        let tag = json!({"ResourceArn": table.arn, "Tags": [
            {"Key": "team", "Value": "b"}, {"Key": "stage", "Value": ""},
        ]});
        aws.dynamo("TagResource", tag).await?.ok()?;
        let expected = pairs(&[("cost", "1"), ("stage", ""), ("team", "b")]);
        aws.poll(SOON, || async { Ok((tags(&aws, &table).await? == expected).then_some(())) }).await
    }

    TAG => async fn a_table_that_is_not_there_takes_no_tags(aws: Aws) {
        let table = aws.table("there", json!({})).await?;
        let arn = table.arn.replace(&table.name, &aws.name("missing"));
        let tag = json!({"ResourceArn": arn, "Tags": [{"Key": "team", "Value": "a"}]});
        let reply = aws.dynamo("TagResource", tag).await?;
        reply.refused(400, "ResourceNotFoundException")
    }

    UNTAG => async fn tags_are_removed_by_their_keys(aws: Aws) {
        let made = json!({"Tags": [{"Key": "team", "Value": "a"}, {"Key": "cost", "Value": "1"}]});
        let table = aws.table("untagged", made).await?;
        let untag = json!({"ResourceArn": table.arn, "TagKeys": ["team", "never"]});
        aws.dynamo("UntagResource", untag).await?.ok()?;
        let expected = pairs(&[("cost", "1")]);
        aws.poll(SOON, || async { Ok((tags(&aws, &table).await? == expected).then_some(())) }).await
    }

    BACKUPS => async fn recovery_is_disabled_at_first(aws: Aws) {
        let table = aws.table("unrecovered", json!({})).await?;
        let input = json!({"TableName": table.name});
        let reply = aws.dynamo("DescribeContinuousBackups", input).await?.ok()?;
        let recovery = reply.at("/ContinuousBackupsDescription/PointInTimeRecoveryDescription")?;
        ensure_eq!(recovery["PointInTimeRecoveryStatus"], "DISABLED");
        Ok(())
    }

    BACKUPS => async fn a_table_that_is_not_there_has_no_backups(aws: Aws) {
        let input = json!({"TableName": aws.name("missing")});
        let reply = aws.dynamo("DescribeContinuousBackups", input).await?;
        reply.refused(400, "TableNotFoundException")
    }

    RECOVERY => async fn recovery_is_enabled_and_disabled(aws: Aws) {
        let table = aws.table("recovered", json!({})).await?;
        for (enabled, status) in [(true, "ENABLED"), (false, "DISABLED")] {
            let input = json!({
                "TableName": table.name,
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": enabled},
            });
            aws.poll(SOON, || async {
                // AWS refuses while backups are being enabled on a new table.
                let reply = aws.dynamo("UpdateContinuousBackups", input.clone()).await?;
                Ok((reply.code() != "ContinuousBackupsUnavailableException").then_some(reply))
            })
            .await?
            .ok()?;
            let input = json!({"TableName": table.name});
            let reply = aws.dynamo("DescribeContinuousBackups", input).await?.ok()?;
            let found = reply.at("/ContinuousBackupsDescription/PointInTimeRecoveryDescription")?;
            ensure_eq!(found["PointInTimeRecoveryStatus"], status);
            ensure_eq!(found.get("LatestRestorableDateTime").is_some(), enabled);
        }
        Ok(())
    }

    POLICY => async fn a_policy_is_put_read_and_deleted(aws: Aws) {
        let table = aws.table("policed", json!({})).await?;
        let named = json!({"ResourceArn": table.arn});
        let reply = aws.dynamo("GetResourcePolicy", named.clone()).await?;
        reply.refused(400, "PolicyNotFoundException")?;
        let account = table.arn.split(':').nth(4).unwrap_or_default();
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
            "Action": "dynamodb:GetItem",
            "Resource": table.arn,
        }]});
        let put = with(named.clone(), json!({"Policy": policy.to_string()}));
        let put = aws.dynamo("PutResourcePolicy", put).await?.ok()?;
        let found = aws.poll(SOON, || async {
            let reply = aws.dynamo("GetResourcePolicy", named.clone()).await?;
            Ok((reply.status == 200).then_some(reply.body))
        })
        .await?;
        ensure_eq!(found["RevisionId"], put["RevisionId"]);
        let read: Value = serde_json::from_str(found.text_at("/Policy")?)?;
        ensure_eq!(read, policy);
        aws.poll(SOON, || async {
            // AWS refuses while a policy is being put in force.
            let reply = aws.dynamo("DeleteResourcePolicy", named.clone()).await?;
            Ok((reply.code() != "ResourceInUseException").then_some(reply))
        })
        .await?
        .ok()?;
        aws.poll(SOON, || async {
            let reply = aws.dynamo("GetResourcePolicy", named.clone()).await?;
            Ok((reply.code() == "PolicyNotFoundException").then_some(()))
        })
        .await
    }

    LIMITS => async fn an_account_has_limits(aws: Aws) {
        let reply = aws.dynamo("DescribeLimits", json!({})).await?.ok()?;
        for limit in [
            "AccountMaxReadCapacityUnits",
            "AccountMaxWriteCapacityUnits",
            "TableMaxReadCapacityUnits",
            "TableMaxWriteCapacityUnits",
        ] {
            ensure!(reply[limit].as_u64().is_some_and(|units| units > 0), "{limit}: {reply}");
        }
        Ok(())
    }

    ENDPOINTS => async fn an_endpoint_has_an_address(aws: Aws) {
        let reply = aws.dynamo("DescribeEndpoints", json!({})).await?.ok()?;
        ensure!(!reply.text_at("/Endpoints/0/Address")?.is_empty(), "no address: {reply}");
        ensure!(reply.at("/Endpoints/0/CachePeriodInMinutes")?.is_u64(), "no period: {reply}");
        Ok(())
    }
}
