//! PartiQL: statements, batches and transactions of them.

use crate::prelude::*;

const STATEMENT: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html";
const BATCH: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html";
const TRANSACTION: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteTransaction.html";

/// Runs a statement in which `TABLE` stands for the table's name.
async fn run(aws: &Aws, table: &Table, statement: &str, parameters: &[Value]) -> Result<Reply> {
    let mut input = json!({"Statement": on(table, statement)});
    if !parameters.is_empty() {
        input["Parameters"] = parameters.into();
    }
    aws.dynamo("ExecuteStatement", input).await
}

fn on(table: &Table, statement: &str) -> String {
    statement.replace("TABLE", &format!("\"{}\"", table.name))
}

async fn filled(aws: &Aws) -> Result<Table> {
    let table = aws.table("partiql", json!({})).await?;
    for (pk, v) in [("a", "1"), ("b", "2")] {
        let statement = format!("INSERT INTO TABLE VALUE {{'pk': '{pk}', 'v': {v}}}");
        run(aws, &table, &statement, &[]).await?.ok()?;
    }
    Ok(table)
}

checks! {
    STATEMENT => async fn an_item_is_inserted_read_changed_and_deleted(aws: Aws) {
        let table = filled(&aws).await?;
        let a = [json!({"S": "a"})];
        let found = run(&aws, &table, "SELECT * FROM TABLE WHERE pk = ?", &a).await?.ok()?;
        ensure_eq!(found["Items"], json!([{"pk": {"S": "a"}, "v": {"N": "1"}}]));
        run(&aws, &table, "UPDATE TABLE SET v = v + 1 SET w = 'x' WHERE pk = ?", &a).await?.ok()?;
        let found = run(&aws, &table, "SELECT v, w FROM TABLE WHERE pk = 'a'", &[]).await?.ok()?;
        ensure_eq!(found["Items"], json!([{"v": {"N": "2"}, "w": {"S": "x"}}]));
        run(&aws, &table, "DELETE FROM TABLE WHERE pk = ?", &a).await?.ok()?;
        let found = run(&aws, &table, "SELECT * FROM TABLE WHERE pk = ?", &a).await?.ok()?;
        ensure_eq!(found["Items"], json!([]));
        Ok(())
    }

    STATEMENT => async fn an_item_that_is_there_is_not_inserted(aws: Aws) {
        let table = filled(&aws).await?;
        let reply = run(&aws, &table, "INSERT INTO TABLE VALUE {'pk': 'a'}", &[]).await?;
        reply.refused_saying(
            400,
            "DuplicateItemException",
            "Duplicate primary key exists in table",
        )
    }

    STATEMENT => async fn an_item_that_is_not_there_is_not_updated(aws: Aws) {
        let table = filled(&aws).await?;
        let statement = "UPDATE TABLE SET v = 1 WHERE pk = 'missing'";
        let reply = run(&aws, &table, statement, &[]).await?;
        reply.refused(400, "ConditionalCheckFailedException")
    }

    STATEMENT => async fn a_change_gives_back_what_it_is_asked_for(aws: Aws) {
        let table = filled(&aws).await?;
        let statement = "UPDATE TABLE SET v = 5 WHERE pk = 'a' RETURNING ALL OLD *";
        let reply = run(&aws, &table, statement, &[]).await?.ok()?;
        ensure_eq!(reply["Items"], json!([{"pk": {"S": "a"}, "v": {"N": "1"}}]));
        let statement = "UPDATE TABLE SET v = 6 WHERE pk = 'a' RETURNING MODIFIED NEW *";
        let reply = run(&aws, &table, statement, &[]).await?.ok()?;
        ensure_eq!(reply["Items"], json!([{"v": {"N": "6"}}]));
        Ok(())
    }

    STATEMENT => async fn a_change_names_the_whole_key(aws: Aws) {
        let table = filled(&aws).await?;
        let reply = run(&aws, &table, "DELETE FROM TABLE WHERE v = 1", &[]).await?;
        reply.refused(400, "ValidationException")
    }

    STATEMENT => async fn conditions_filter_what_is_read(aws: Aws) {
        let table = filled(&aws).await?;
        let found = run(&aws, &table, "SELECT pk FROM TABLE WHERE v > 1", &[]).await?.ok()?;
        ensure_eq!(found["Items"], json!([{"pk": {"S": "b"}}]));
        let statement = "SELECT pk FROM TABLE WHERE w IS MISSING AND v IN [1, 7]";
        let found = run(&aws, &table, statement, &[]).await?.ok()?;
        ensure_eq!(found["Items"], json!([{"pk": {"S": "a"}}]));
        Ok(())
    }

    STATEMENT => async fn a_page_goes_on_by_its_token(aws: Aws) {
        let table = filled(&aws).await?;
        let input = json!({"Statement": on(&table, "SELECT * FROM TABLE"), "Limit": 1});
        let mut found = Vec::new();
        let mut page = aws.dynamo("ExecuteStatement", input.clone()).await?.ok()?;
        loop {
            found.extend_from_slice(page.list_at("/Items"));
            let Some(token) = page["NextToken"].as_str() else { break };
            let next = with(input.clone(), json!({"NextToken": token}));
            page = aws.dynamo("ExecuteStatement", next).await?.ok()?;
        }
        ensure_eq!(found.len(), 2);
        Ok(())
    }

    STATEMENT => async fn what_is_no_statement_is_refused(aws: Aws) {
        let table = filled(&aws).await?;
        for statement in ["SELEC * FROM TABLE", "SELECT * FROM", "DROP TABLE"] {
            let reply = run(&aws, &table, statement, &[]).await?;
            reply.refused(400, "ValidationException")?;
        }
        Ok(())
    }

    STATEMENT => async fn a_table_that_is_not_there_is_not_found(aws: Aws) {
        let missing = Table { name: aws.name("missing"), arn: String::new(), stream: None };
        let reply = run(&aws, &missing, "SELECT * FROM TABLE WHERE pk = 'a'", &[]).await?;
        reply.refused(400, "ResourceNotFoundException")
    }

    BATCH => async fn each_statement_has_an_answer_of_its_own(aws: Aws) {
        let table = filled(&aws).await?;
        let statement = |text: &str| json!({"Statement": on(&table, text)});
        let input = json!({"Statements": [
            statement("SELECT * FROM TABLE WHERE pk = 'b'"),
            statement("SELECT * FROM TABLE WHERE pk = 'missing'"),
            statement("SELECT * FROM TABLE WHERE v = 1"),
        ]});
        let reply = aws.dynamo("BatchExecuteStatement", input).await?.ok()?;
        let answers = reply.list_at("/Responses");
        ensure_eq!(answers.len(), 3);
        ensure_eq!(answers[0]["Item"]["v"]["N"], "2");
        ensure_eq!(answers[0]["TableName"], json!(table.name));
        ensure!(answers[1].get("Item").is_none() && answers[1].get("Error").is_none(), "{}", answers[1]);
        ensure_eq!(answers[2]["Error"]["Code"], "ValidationError");
        Ok(())
    }

    BATCH => async fn a_batch_reads_or_writes(aws: Aws) {
        let table = filled(&aws).await?;
        let input = json!({"Statements": [
            {"Statement": on(&table, "SELECT * FROM TABLE WHERE pk = 'b'")},
            {"Statement": on(&table, "INSERT INTO TABLE VALUE {'pk': 'c'}")},
        ]});
        let reply = aws.dynamo("BatchExecuteStatement", input).await?;
        reply.refused(400, "ValidationException")
    }

    TRANSACTION => async fn one_refusal_cancels_all_statements(aws: Aws) {
        let table = filled(&aws).await?;
        let input = json!({"TransactStatements": [
            {"Statement": on(&table, "INSERT INTO TABLE VALUE {'pk': 'c'}")},
            {"Statement": on(&table, "INSERT INTO TABLE VALUE {'pk': 'a'}")},
        ]});
        let reply = aws.dynamo("ExecuteTransaction", input).await?;
        reply.refused(400, "TransactionCanceledException")?;
        let reasons = reply.body.list_at("/CancellationReasons");
        ensure_eq!(reasons.len(), 2);
        ensure_eq!(reasons[0]["Code"], "None");
        ensure_eq!(reasons[1]["Code"], "DuplicateItem");
        let found = run(&aws, &table, "SELECT * FROM TABLE WHERE pk = 'c'", &[]).await?.ok()?;
        ensure_eq!(found["Items"], json!([]));
        Ok(())
    }

    TRANSACTION => async fn statements_read_together(aws: Aws) {
        let table = filled(&aws).await?;
        let input = json!({"TransactStatements": [
            {"Statement": on(&table, "SELECT * FROM TABLE WHERE pk = 'b'")},
            {"Statement": on(&table, "SELECT * FROM TABLE WHERE pk = ?"), "Parameters": [{"S": "a"}]},
        ]});
        let reply = aws.dynamo("ExecuteTransaction", input).await?.ok()?;
        ensure_eq!(reply["Responses"][0]["Item"]["v"]["N"], "2");
        ensure_eq!(reply["Responses"][1]["Item"]["v"]["N"], "1");
        Ok(())
    }
}
