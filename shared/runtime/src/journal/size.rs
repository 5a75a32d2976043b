//! How many bytes an item has as DynamoDB counts them, known before the call.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// Bytes in one write unit.
pub const WRITE_UNIT_BYTES: usize = 1_024;

/// The largest item DynamoDB takes: 400 KB, names included (DynamoDB quotas, "Item size").
pub const ITEM_BYTES_MAX: usize = 409_600;

/// Bytes of an item: names and values.
#[must_use]
pub fn item_bytes(item: &HashMap<String, AttributeValue>) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value_bytes(value))
        .sum()
}

/// Write units of one put of an item of `bytes`, indexes apart.
#[must_use]
pub const fn write_units(bytes: usize) -> usize {
    let units = bytes.div_ceil(WRITE_UNIT_BYTES);
    if units == 0 { 1 } else { units }
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_bytes(number),
        AttributeValue::B(blob) => blob.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| number_bytes(number)).sum(),
        AttributeValue::Bs(blobs) => blobs.iter().map(|blob| blob.as_ref().len()).sum(),
        // Three bytes of overhead, and one more per element.
        AttributeValue::L(list) => {
            3 + list
                .iter()
                .map(|value| 1 + value_bytes(value))
                .sum::<usize>()
        }
        AttributeValue::M(map) => {
            3 + map
                .iter()
                .map(|(name, value)| 1 + name.len() + value_bytes(value))
                .sum::<usize>()
        }
        _ => 1,
    }
}

/// One byte per two significant digits, one more, and one for a minus sign. Zeros at either end
/// do not count.
fn number_bytes(number: &str) -> usize {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_matches('0').len();
    significant.div_ceil(2) + 1 + usize::from(number.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(number: &str) -> AttributeValue {
        AttributeValue::N(number.to_owned())
    }

    #[test]
    fn names_and_values_count_and_zeros_at_the_ends_of_a_number_do_not() {
        let item = HashMap::from([
            ("pk".to_owned(), AttributeValue::S("slot#ä".to_owned())),
            ("sk".to_owned(), n("1200")),
        ]);
        assert_eq!(item_bytes(&item), 2 + 7 + 2 + 2);
        assert_eq!(number_bytes("1795000000123"), 8);
        assert_eq!(number_bytes("-5"), 3);
        assert_eq!(number_bytes("0"), 1);
    }

    #[test]
    fn a_byte_over_a_kibibyte_costs_a_second_unit() {
        assert_eq!(
            [write_units(0), write_units(1_024), write_units(1_025)],
            [1, 1, 2]
        );
    }
}
