//! Creates what a stack names, or finds it: tables, topics, queues, subscriptions.
//!
//! A development stand-in for CloudFormation, by the SDK alone. It may be run again at
//! every start: what is there is brought in line where AWS allows a change, and what
//! cannot be changed (a key, a FIFO flag) is an error. Nothing that holds data is ever
//! deleted here; subscriptions of our own queues that the template no longer has are. Only
//! [`teardown`] deletes, and only what bears our tag.

mod owned;
mod queues;
mod subscriptions;
mod tables;
mod topics;

pub use owned::{TornDown, teardown};

use aws_config::SdkConfig;
use callboard_template::{Expr, Position, Stack};

use crate::error::{HostError, Place};
use crate::resources::{Resource, Resources};

/// A function's account where no ARN tells another.
const ACCOUNT_DEFAULT: &str = "000000000000";

/// Region where the SDK configuration names none.
pub(crate) const REGION_DEFAULT: &str = "us-east-1";

/// What the parts of this module share.
pub(crate) struct Provisioning<'a> {
    stack: &'a Stack,
    sdk: &'a SdkConfig,
    prefix: &'a str,
}

/// Creates or finds every resource of `stack`. Names are `prefix` and the logical id.
///
/// # Errors
/// [`HostError::Resource`] with line and logical id of what could not be made, and
/// [`HostError::Template`] for a reference that leads nowhere.
pub async fn provision(
    stack: &Stack,
    sdk: &SdkConfig,
    prefix: &str,
) -> Result<Resources, HostError> {
    let provisioning = Provisioning { stack, sdk, prefix };
    let mut resources = Resources::default();
    provisioning.tables(&mut resources).await?;
    provisioning.topics(&mut resources).await?;
    provisioning.queues(&mut resources).await?;
    provisioning.functions(&mut resources);
    provisioning.tags(&resources).await?;
    // What points at others comes when all have a name.
    provisioning.queue_attributes(&resources).await?;
    provisioning.subscriptions(&resources).await?;
    Ok(resources)
}

impl<'a> Provisioning<'a> {
    /// The physical name of a resource.
    fn name(&self, fixed: Option<&String>, logical_id: &str, fifo: bool) -> String {
        let suffix = if fifo { ".fifo" } else { "" };
        fixed.map_or_else(
            || format!("{}{logical_id}{suffix}", self.prefix),
            Clone::clone,
        )
    }

    fn place(&self, logical_id: &'a str, position: Position) -> Place<'a> {
        Place {
            file: &self.stack.file,
            logical_id,
            position,
        }
    }

    /// Functions need nothing but a name and an ARN.
    fn functions(&self, resources: &mut Resources) {
        let region = self
            .sdk
            .region()
            .map_or(REGION_DEFAULT, |region| region.as_ref())
            .to_owned();
        let account = resources.account().unwrap_or(ACCOUNT_DEFAULT).to_owned();
        for function in &self.stack.functions {
            let name = self.name(None, &function.logical_id, false);
            let arn = format!("arn:aws:lambda:{region}:{account}:function:{name}");
            resources.insert(&function.logical_id, Resource::Function { name, arn });
        }
    }
}

/// An expression's text, or an error that names the property.
pub(crate) fn text(
    expr: &Expr,
    resources: &Resources,
    place: Place<'_>,
    path: &str,
) -> Result<String, HostError> {
    expr.evaluate_text(&|reference| resources.value(reference))
        .map_err(|error| place.problem(path, error.to_string()))
}
