//! Reads a function's answer to a batch: which records failed?
//!
//! The rules are those of
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
//! and, for streams, <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>:
//! no list, a null list and an empty list are success; an identifier that is empty,
//! null, under another name or not of this batch makes the whole batch a failure.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::invocation::Outcome;
use crate::observe::Verdict;

/// What an invocation means for the records of its batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Positions of the records that failed.
    pub failed: BTreeSet<usize>,
    pub verdict: Verdict,
}

/// Judges an invocation over records with the identifiers `ids` (message ids or
/// sequence numbers). Without `report_item_failures` the answer is not looked at, as
/// Lambda does.
pub(crate) fn judge(outcome: &Outcome, ids: &[&str], report_item_failures: bool) -> Judged {
    let all = |verdict| Judged {
        failed: (0..ids.len()).collect(),
        verdict,
    };
    let Outcome::Answer(answer) = outcome else {
        return all(outcome.verdict());
    };
    if !report_item_failures {
        return Judged {
            failed: BTreeSet::new(),
            verdict: Verdict::Succeeded,
        };
    }
    match failed_positions(answer, ids) {
        None => all(Verdict::Malformed),
        Some(failed) if failed.is_empty() => Judged {
            failed,
            verdict: Verdict::Succeeded,
        },
        Some(failed) => Judged {
            failed,
            verdict: Verdict::Partial,
        },
    }
}

/// None if the answer is malformed.
fn failed_positions(answer: &Value, ids: &[&str]) -> Option<BTreeSet<usize>> {
    let object = match answer {
        Value::Null => return Some(BTreeSet::new()),
        Value::Object(object) => object,
        _ => return None,
    };
    let failures = match object.get("batchItemFailures") {
        None | Some(Value::Null) => return Some(BTreeSet::new()),
        Some(Value::Array(failures)) => failures,
        Some(_) => return None,
    };
    failures
        .iter()
        .map(|failure| {
            let id = failure.get("itemIdentifier")?.as_str()?;
            ids.iter().position(|known| *known == id)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failed(answer: Value) -> (Vec<usize>, Verdict) {
        let judged = judge(&Outcome::Answer(answer), &["a", "b", "c"], true);
        (judged.failed.into_iter().collect(), judged.verdict)
    }

    #[test]
    fn an_absent_null_or_empty_list_is_success() {
        for answer in [
            json!(null),
            json!({}),
            json!({"batchItemFailures": null}),
            json!({"batchItemFailures": []}),
        ] {
            assert_eq!(failed(answer), (vec![], Verdict::Succeeded));
        }
    }

    #[test]
    fn named_records_fail_alone() {
        let answer =
            json!({"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "a"}]});
        assert_eq!(failed(answer), (vec![0, 2], Verdict::Partial));
    }

    #[test]
    fn an_unreadable_or_foreign_identifier_fails_the_whole_batch() {
        for answer in [
            json!("ok"),
            json!({"batchItemFailures": "a"}),
            json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            json!({"batchItemFailures": [{"ItemIdentifier": "a"}]}),
            json!({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "z"}]}),
        ] {
            assert_eq!(failed(answer), (vec![0, 1, 2], Verdict::Malformed));
        }
    }

    #[test]
    fn without_item_reporting_the_answer_is_not_looked_at() {
        let answer = Outcome::Answer(json!({"batchItemFailures": [{"itemIdentifier": "a"}]}));
        assert!(judge(&answer, &["a"], false).failed.is_empty());
        assert_eq!(judge(&Outcome::Error, &["a"], false).failed.len(), 1);
    }
}
