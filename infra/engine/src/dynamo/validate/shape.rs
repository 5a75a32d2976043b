//! What a member of a request can be.

/// The type of a member.
#[derive(Debug)]
pub(super) enum Shape {
    Text,
    /// One of these words, in AWS's order. Only where the crate does not look.
    OneOf(&'static [&'static str]),
    /// A count. The crate refuses nought and what is too many, and cannot read what is less.
    Count,
    /// A number, read into a Java type of this name: `Integer` or `Long`.
    Whole(&'static str),
    Flag,
    /// A boolean which, written as a word, moves its request to AWS's older validation layer.
    OldFlag,
    Struct(&'static Structure),
    List(&'static Shape),
    Map(&'static Shape),
    /// An attribute value.
    Value,
    /// Attribute values by name.
    Values(Origin),
    /// Whatever it is, the crate looks at it.
    Any,
}

/// A structure of AWS's model.
#[derive(Debug)]
pub(super) struct Structure {
    /// Its name in the model.
    pub(super) name: &'static str,
    /// Its members, in groups that structures share.
    pub(super) members: &'static [&'static [Member]],
    /// Those that must be there and that the crate does not look for: where it does, it knows in
    /// which order AWS tells of them.
    pub(super) required: &'static [&'static str],
    /// Whether exactly one member must be there.
    pub(super) is_union: bool,
}

pub(super) type Member = (&'static str, Shape);

/// Where values are, which decides how one that nests too deeply is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dynamo) enum Origin {
    Plain,
    /// `ExpressionAttributeValues`: the refusal names the key.
    Expression,
    /// `ExclusiveStartKey`.
    StartKey,
}

impl Structure {
    pub(super) fn member(&self, name: &str) -> Option<&'static Shape> {
        let mut members = self.members.iter().flat_map(|group| group.iter());
        members
            .find(|(member, _)| *member == name)
            .map(|(_, shape)| shape)
    }
}
