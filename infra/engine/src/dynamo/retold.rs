//! Refusals of expressions that the crate takes for errors of syntax, and AWS for something else.

use serde_json::Value;

/// Functions of conditions and how many operands each has.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>
const FUNCTIONS: [(&str, usize); 6] = [
    ("attribute_exists", 1),
    ("attribute_not_exists", 1),
    ("attribute_type", 2),
    ("begins_with", 2),
    ("contains", 2),
    ("size", 1),
];
/// Operators that a condition of keys does not have.
const NOT_OF_KEYS: [&str; 4] = ["OR", "NOT", "IN", "<>"];
const KEYS: &str = "KeyConditionExpression";

/// AWS's words for what the crate refuses in these, if they are others.
pub(super) fn words(message: &str, body: &str) -> Option<String> {
    let of_keys = [
        "Unexpected token in KeyConditionExpression: ",
        "Unexpected operator in KeyConditionExpression: ",
        "Expected closing parenthesis in KeyConditionExpression, got ",
        "Expected attribute name, got ",
    ];
    if let Some(token) = of_keys
        .iter()
        .find_map(|words| message.strip_prefix(*words))
    {
        return of_key_conditions(token, body);
    }
    let (before, rest) = message.split_once("Invalid ")?;
    let (parameter, _) = rest.split_once(": Syntax error; token: ")?;
    let request: Value = serde_json::from_str(body).ok()?;
    let call = calls(request.get(parameter)?.as_str()?)
        .into_iter()
        .find_map(|call| call.fault())?;
    Some(format!("{before}Invalid {parameter}: {call}"))
}

/// The refusal of an `attribute_type` that asks for no type there is, which the crate answers with
/// a condition that does not hold.
pub(super) fn of_types(operation: &str, body: &str) -> Option<String> {
    if !body.contains("attribute_type") {
        return None;
    }
    let request: Value = serde_json::from_str(body).ok()?;
    ["ConditionExpression", "FilterExpression"]
        .iter()
        .find_map(|parameter| {
            let expression = request.get(*parameter)?.as_str()?;
            let fault = calls(expression).into_iter().find_map(|call| {
                let asked = call.operands.get(1)?;
                let value = request.pointer("/ExpressionAttributeValues")?.get(*asked)?;
                (call.name == "attribute_type")
                    .then(|| no_type(value))
                    .flatten()
            })?;
            let enveloped = matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem");
            let envelope = if enveloped {
                "1 validation error detected: "
            } else {
                ""
            };
            Some(format!("{envelope}Invalid {parameter}: {fault}"))
        })
}

fn no_type(value: &Value) -> Option<String> {
    let (kind, asked) = value.as_object()?.iter().next()?;
    if kind != "S" {
        return Some(format!(
            "Incorrect operand type for operator or function; operator or function: \
             attribute_type, operand type: {kind}"
        ));
    }
    let asked = asked.as_str()?;
    let types = ["B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M"];
    (!types.contains(&asked)).then(|| {
        format!(
            "Invalid attribute type name found; type: {asked}, valid types: {{{}}}",
            types.join(",")
        )
    })
}

fn of_key_conditions(token: &str, body: &str) -> Option<String> {
    let invalid = |operator: &str| Some(format!("Invalid operator used in {KEYS}: {operator}"));
    if NOT_OF_KEYS.contains(&token) {
        return invalid(token);
    }
    let request: Value = serde_json::from_str(body).ok()?;
    let calls = calls(request.get(KEYS)?.as_str()?);
    let other = calls.iter().find(|call| call.name != "begins_with")?;
    (token == "(").then(|| invalid(other.name)).flatten()
}

/// A call of a function.
#[derive(Debug, PartialEq, Eq)]
struct Call<'a> {
    name: &'static str,
    takes: usize,
    operands: Vec<&'a str>,
}

impl Call<'_> {
    fn fault(&self) -> Option<String> {
        let name = self.name;
        let given = self.operands.len();
        // None at all is an error of syntax for AWS too.
        if given == 0 {
            return None;
        }
        if given != self.takes {
            return Some(format!(
                "Incorrect number of operands for operator or function; operator or function: \
                 {name}, number of operands: {given}"
            ));
        }
        let looks_for_paths = name.ends_with("exists");
        (looks_for_paths && self.operands[0].starts_with(':')).then(|| {
            format!("Operator or function requires a document path; operator or function: {name}")
        })
    }
}

/// The calls in an expression whose parenthesis is closed, none inside another's operands.
fn calls(expression: &str) -> Vec<Call<'_>> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices('(') {
        let before = expression[..at].trim_end();
        let name = before
            .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
            .next();
        let function = FUNCTIONS.iter().find(|(known, _)| Some(*known) == name);
        let (Some(&(name, takes)), Some((operands, _))) =
            (function, expression[at + 1..].split_once(')'))
        else {
            continue;
        };
        let operands: Vec<&str> = operands.split(',').map(str::trim).collect();
        let empty = operands.iter().any(|operand| operand.is_empty());
        found.push(Call {
            name,
            takes,
            operands: if empty { Vec::new() } else { operands },
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_that_keys_do_not_have_are_named() {
        let body = r#"{"KeyConditionExpression":"pk = :p AND contains(sk, :p)"}"#;
        for (message, operator) in [
            ("Unexpected token in KeyConditionExpression: OR", "OR"),
            ("Unexpected operator in KeyConditionExpression: <>", "<>"),
            ("Expected attribute name, got NOT", "NOT"),
            (
                "Unexpected operator in KeyConditionExpression: (",
                "contains",
            ),
        ] {
            assert_eq!(
                words(message, body),
                Some(format!(
                    "Invalid operator used in KeyConditionExpression: {operator}"
                ))
            );
        }
    }

    #[test]
    fn types_that_there_are_not_are_named() {
        let told = |value: &str| {
            let body = format!(
                r#"{{"FilterExpression":"attribute_type(a, :t)","ExpressionAttributeValues":{{":t":{value}}}}}"#
            );
            of_types("Scan", &body)
        };
        assert_eq!(told(r#"{"S":"SS"}"#), None);
        assert_eq!(
            told(r#"{"S":"set"}"#).as_deref(),
            Some(
                "Invalid FilterExpression: Invalid attribute type name found; type: set, valid \
                 types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
            )
        );
        assert!(told(r#"{"N":"1"}"#).is_some_and(|words| words.ends_with("operand type: N")));
    }

    #[test]
    fn calls_with_too_few_or_too_many_operands_are_named() {
        let syntax = "1 validation error detected: Invalid ConditionExpression: Syntax error; \
                      token: \")\", near: \"d)\"";
        let told = |expression: &str| {
            words(
                syntax,
                &format!(r#"{{"ConditionExpression":"{expression}"}}"#),
            )
        };
        assert_eq!(
            told("size(a) > :b AND begins_with (d)").as_deref(),
            Some(
                "1 validation error detected: Invalid ConditionExpression: Incorrect number of \
                 operands for operator or function; operator or function: begins_with, number of \
                 operands: 1"
            )
        );
        assert_eq!(
            told("attribute_exists(:p)").as_deref(),
            Some(
                "1 validation error detected: Invalid ConditionExpression: Operator or function \
                 requires a document path; operator or function: attribute_exists"
            )
        );
        assert_eq!(told("a = )"), None);
        assert_eq!(told("attribute_exists()"), None);
    }
}
