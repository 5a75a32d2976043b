//! Foreign event types: the allow-list and what is personal.

use callboard_domain::foreign::Registry;
use serde_json::{Value, json};

fn file(schema: Value) -> String {
    json!({
        "type": "com.example.thing-happened.v1",
        "alias": "ThingHappened",
        "source": "things",
        "recipient": "/who",
        "schema": schema,
        "example": {"who": "usr-1"}
    })
    .to_string()
}

fn load(schema: Value) -> Result<Registry, String> {
    Registry::load(&[("thing.json", &file(schema))]).map_err(|problems| problems.to_string())
}

fn schema_with(more: Value) -> Value {
    let mut properties = json!({"who": {"type": "string"}});
    let both = (properties.as_object_mut(), more);
    if let (Some(properties), Value::Object(more)) = both {
        properties.extend(more);
    }
    json!({"type": "object", "required": ["who"], "properties": properties})
}

#[test]
fn a_type_is_found_by_its_name_and_by_its_alias() {
    let registry = load(schema_with(json!({}))).expect("a registry");
    let by_name = registry.find("com.example.thing-happened.v1");
    assert!(by_name.is_some());
    assert_eq!(by_name, registry.find("ThingHappened"));
    assert_eq!(registry.find("OtherThing"), None);
}

#[test]
fn personal_fields_are_parted_from_the_rest_at_any_depth() {
    let registry = load(schema_with(json!({
        "email": {"type": "string", "personal": true},
        "address": {"type": "object", "properties": {
            "city": {"type": "string"},
            "street": {"type": "string", "personal": true}
        }},
        "guests": {"type": "array", "personal": true, "items": {"type": "string"}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}}
    })))
    .expect("a registry");
    let thing = registry.find("ThingHappened").expect("the type");
    let split = thing.split_personal(&json!({
        "who": "usr-1", "email": "a@example.com",
        "address": {"city": "Ulm", "street": "Mill Lane"},
        "guests": ["Noor"],
        "items": [{"sku": "s1", "secret": "x"}],
        "unheardOf": "x"
    }));
    assert_eq!(
        split.public,
        json!({"who": "usr-1", "address": {"city": "Ulm"}, "items": [{"sku": "s1"}]})
    );
    assert_eq!(
        split.personal,
        json!({"email": "a@example.com", "address": {"street": "Mill Lane"}, "guests": ["Noor"]})
    );
    assert_eq!(thing.personal, ["/address/street", "/email", "/guests"]);
}

#[test]
fn data_without_personal_fields_leave_an_empty_object() {
    let registry = load(schema_with(json!({}))).expect("a registry");
    let thing = registry.find("ThingHappened").expect("the type");
    let split = thing.split_personal(&json!({"who": "usr-1"}));
    assert_eq!(split.personal, json!({}));
    assert_eq!(thing.split_personal(&json!([1])).public, json!({}));
}

#[test]
fn a_value_of_another_shape_than_the_schema_says_does_not_slip_through() {
    let registry = load(schema_with(json!({"note": {"type": "string"}}))).expect("a registry");
    let thing = registry.find("ThingHappened").expect("the type");
    let split = thing.split_personal(&json!({"who": "usr-1", "note": {"email": "a@example.com"}}));
    assert_eq!(split.public, json!({"who": "usr-1"}));
}

#[test]
fn objects_that_say_nothing_of_other_fields_refuse_them_and_true_lets_them_be_dropped() {
    let registry = load(schema_with(json!({
        "closed": {"type": "object", "properties": {}},
        "open": {"type": "object", "properties": {}, "additionalProperties": true}
    })))
    .expect("a registry");
    let schema = &registry.find("ThingHappened").expect("the type").schema;
    assert_eq!(schema["additionalProperties"], json!(false));
    let of = |name: &str| schema["properties"][name]["additionalProperties"].clone();
    assert_eq!((of("closed"), of("open")), (json!(false), json!(true)));
}

#[test]
fn a_schema_that_an_allow_list_cannot_see_through_is_refused_with_its_place() {
    for (more, expected) in [
        (
            json!({"x": {"oneOf": []}}),
            "/schema/properties/x: `oneOf` is not supported",
        ),
        (json!({"x": {}}), "/schema/properties/x: say the `type`"),
        (
            json!({"x": {"type": "object"}}),
            "/schema/properties/x: name the `properties`",
        ),
        (
            json!({"x": {"type": "array"}}),
            "/schema/properties/x: say what the `items`",
        ),
        (
            json!({"x": {"type": "array", "items": {"type": "string", "personal": true}}}),
            "/schema/properties/x/items: mark the whole list",
        ),
        (
            json!({"x": {"type": "array", "items": {"type": "object", "properties": {"y": {"type": "string", "personal": true}}}}}),
            "/schema/properties/x/items/properties/y: mark the whole list",
        ),
        (
            json!({"x": {"type": "string", "personal": "yes"}}),
            "`personal` is true or false",
        ),
        (
            json!({"x": {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}}),
            "`additionalProperties` is true",
        ),
        (
            json!({"x": {"type": ["object", "array"], "properties": {}}}),
            "an object or a list",
        ),
        (json!({"a/b": {}}), "/schema/properties/a~1b: "),
    ] {
        let problems = load(schema_with(more)).expect_err("a problem");
        assert!(problems.starts_with("thing.json: "), "{problems}");
        assert!(
            problems.contains(expected),
            "{expected} is not in {problems}"
        );
    }
    assert!(load(json!({"type": "string"})).is_err());
}

#[test]
fn a_recipient_must_be_required_and_not_personal() {
    let refused = |schema: Value| load(schema).expect_err("a problem");
    let optional = json!({"type": "object", "properties": {"who": {"type": "string"}}});
    assert!(refused(optional).contains("must be `required`"));
    let personal = schema_with(json!({"who": {"type": "string", "personal": true}}));
    assert!(refused(personal).contains("marked as personal"));
    let number = schema_with(json!({"who": {"type": "number"}}));
    assert!(refused(number).contains("of `\"type\": \"string\"`"));
    let elsewhere = json!({"type": "object", "properties": {}});
    assert!(refused(elsewhere).contains("has no `who`"));
}

#[test]
fn a_recipient_that_is_missing_or_no_id_is_named_by_its_place_alone() {
    let registry = load(schema_with(json!({}))).expect("a registry");
    let thing = registry.find("ThingHappened").expect("the type");
    let missing = thing.recipient_of(&json!({})).expect_err("missing");
    assert_eq!(missing.to_string(), "/who: the recipient's id is missing");
    let bad = thing
        .recipient_of(&json!({"who": "canary@@#"}))
        .expect_err("no id");
    assert!(!format!("{bad} {bad:?}").contains("canary"));
}

#[test]
fn a_name_is_registered_once_and_callboards_own_types_are_not() {
    let text = file(schema_with(json!({})));
    let problems = Registry::load(&[("a.json", &text), ("b.json", &text)]).expect_err("twice");
    assert!(
        problems
            .to_string()
            .contains("b.json: `ThingHappened` is registered twice")
    );
    for (from, to) in [
        (
            "com.example.thing-happened.v1",
            "callboard.waitlist.slot-filled.v1",
        ),
        ("com.example.thing-happened.v1", "com.example.no-version"),
        ("\"things\"", "\"a#b\""),
        ("ThingHappened", ""),
        ("\"source\"", "\"sauce\""),
    ] {
        let text = text.replace(from, to);
        assert!(
            Registry::load(&[("a.json", &text)]).is_err(),
            "{from} → {to}"
        );
    }
}
