//! SNS: <https://docs.aws.amazon.com/sns/latest/api/>.

mod topics;

use crate::check::Check;

/// All checks of SNS.
pub fn checks() -> Vec<Check> {
    [topics::checks()].concat()
}
