//! AWS's words for members of the wrong type. Its serializer is Java's, and says so.

use super::shape::Shape;

pub(super) const STRUCTURE: &str = "Start of structure or map found where not expected";
pub(super) const FIELD: &str = "Unexpected field type";
pub(super) const ELEMENT: &str = "Unexpected value type in payload";
pub(super) const TOKEN: &str = "Unexpected token received from parser";
pub(super) const NO_BYTES: &str = "only base-64-encoded strings are convertible to bytes";
/// The typing error is AWS's.
pub(super) const LAST_CHARACTER: &str = "Invalid last non-pad Base64 character dectected";
pub(super) const CAST: &str = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl \
     cannot be cast to class java.lang.Class (sun.reflect.generics.reflectiveObjects.\
     ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')";

pub(super) const FLAG: &str = "java.lang.Boolean";
pub(super) const TEXT: &str = "java.lang.String";
pub(super) const BYTES: &str = "java.nio.ByteBuffer";

/// A scalar where one of another type should be: how it is written, and the type.
pub(super) fn scalar(written: &str, wanted: &str) -> String {
    let is = match written.as_bytes().first() {
        Some(b'"') => "STRING_VALUE",
        Some(b't') => "TRUE_VALUE",
        Some(b'f') => "FALSE_VALUE",
        _ if written.contains(['.', 'e', 'E']) => "DECIMAL_VALUE",
        _ => "NUMBER_VALUE",
    };
    format!("{is} cannot be converted to {wanted}")
}

/// A list where something of this Java class should be.
pub(super) fn list_for_class(class: &str) -> String {
    format!("Unrecognized collection type class {class}")
}

/// A list where a map of such values should be.
pub(super) fn list_for_map(values: &Shape) -> String {
    format!(
        "Unrecognized collection type java.util.Map<java.lang.String, {}>",
        java(values)
    )
}

/// What the Base64 text of so many characters lacks.
pub(super) fn base64_length(characters: usize) -> String {
    format!("Base64 encoded length is expected a multiple of 4 bytes but found: {characters}")
}

/// The full name of a structure of the model.
pub(super) fn class(name: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810.{name}")
}

fn java(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::OneOf(_) | Shape::Any => TEXT.to_owned(),
        Shape::Whole(name) => format!("java.lang.{name}"),
        Shape::Count => java(&Shape::Whole("Integer")),
        Shape::Flag | Shape::OldFlag => FLAG.to_owned(),
        Shape::Struct(structure) => class(structure.name),
        Shape::List(element) => format!("java.util.List<{}>", java(element)),
        Shape::Map(value) => format!("java.util.Map<java.lang.String, {}>", java(value)),
        Shape::Value => class("AttributeValue"),
        Shape::Values(_) => java(&Shape::Map(&Shape::Value)),
    }
}
