//! From text to [`Stack`]: the order of the steps, and the checks that need several resources.

use std::collections::BTreeMap;

use crate::declared;
use crate::document::{Document, Resource, refused};
use crate::expr::Expr;
use crate::functions;
use crate::http_api;
use crate::lists::Standing;
use crate::parameters::Parameters;
use crate::problem::{Collector, Position, Problems};
use crate::resolve::{Mode, Resolver};
use crate::source::EventSource;
use crate::stack::{Output, Stack, Statement};
use crate::value::Fields;
use crate::yaml::{self, Node, join};
use crate::{messaging, roles, tables};

/// Reads a template.
///
/// `file_name` is for messages only. Parameters take their values from `parameters`, else from
/// their defaults.
///
/// # Errors
/// Everything that is wrong, by line: text that is no YAML, a construct that is on none of the
/// [lists](crate::lists), a reference that leads nowhere, a parameter that breaks its own rule, a
/// dynamic reference where a value is needed.
pub fn load(file_name: &str, text: &str, parameters: &Parameters) -> Result<Stack, Problems> {
    let problems = Collector::default();
    let stack = read(text, parameters, &problems);
    match stack {
        Some(stack) if problems.is_empty() => Ok(Stack {
            file: file_name.to_owned(),
            ..stack
        }),
        _ => Err(problems.into_problems(file_name)),
    }
}

fn read(text: &str, parameters: &Parameters, problems: &Collector) -> Option<Stack> {
    let root = yaml::parse(text, problems)?;
    let document = Document::read(&root, problems)?;
    let declared = declared::read(&document, parameters, problems);
    let resolver = Resolver::new(parameters, &declared, &document, problems);
    let mut assembly = Assembly::default();
    for resource in &document.resources {
        assembly.add(resource, &resolver);
    }
    let mut stack = assembly.finish(problems);
    stack.outputs = outputs(&document, &resolver);
    stack.parameters = declared
        .iter()
        .filter(|(_, parameter)| !parameter.secret)
        .map(|(name, parameter)| (name.clone(), parameter.text.clone()))
        .collect();
    check_fifo(&stack, problems);
    check_streams(&stack, problems);
    Some(stack)
}

/// A stack while its resources are read one by one.
#[derive(Default)]
struct Assembly {
    stack: Stack,
    http: http_api::Parts,
    /// Role → statements.
    roles: BTreeMap<String, Vec<Statement>>,
    /// Function → role.
    role_of: BTreeMap<String, String>,
}

impl Assembly {
    fn add(&mut self, resource: &Resource, resolver: &Resolver<'_>) {
        check_depends_on(resource, resolver);
        let Some(kind) = resource.kind else { return };
        let active = resolver.active(resource.condition.as_ref(), &resource.path());
        let fields = properties(resource, active, resolver);
        if !active {
            // Not created: its properties were checked, and nothing of it reaches the stack.
            return;
        }
        let (id, at) = (resource.logical_id.as_str(), resource.at);
        let stack = &mut self.stack;
        match kind.name {
            "AWS::DynamoDB::Table" => {
                stack
                    .tables
                    .extend(tables::read(id, at, fields, resolver.problems));
            }
            "AWS::SNS::Topic" => stack.topics.push(messaging::topic(id, at, fields)),
            "AWS::SQS::Queue" => stack
                .queues
                .push(messaging::queue(id, at, fields, resolver)),
            "AWS::SQS::QueuePolicy" => {
                stack
                    .queue_policies
                    .extend(messaging::queue_policy(id, at, fields, resolver));
            }
            "AWS::SNS::Subscription" => {
                stack
                    .subscriptions
                    .extend(messaging::subscription(id, at, fields, resolver));
            }
            "AWS::Serverless::Function" => {
                if let Some(read) = functions::read(resource, fields, resolver) {
                    self.role_of
                        .extend(read.role.map(|role| (id.to_owned(), role)));
                    stack.functions.push(read.function);
                }
            }
            "AWS::IAM::Role" => {
                self.roles
                    .insert(id.to_owned(), roles::read(fields, resolver.problems));
            }
            "AWS::ApiGatewayV2::Api" => self.http.api(id, at, fields),
            "AWS::ApiGatewayV2::Integration" => self.http.integration(id, fields, resolver),
            "AWS::ApiGatewayV2::Authorizer" => self.http.authorizer(id, fields, resolver),
            "AWS::ApiGatewayV2::Route" => self.http.route(at, fields, resolver),
            _ => stack.inert.push((id.to_owned(), kind.name.to_owned())),
        }
    }

    fn finish(mut self, problems: &Collector) -> Stack {
        self.stack.http_api = self.http.join(problems);
        for function in &mut self.stack.functions {
            let role = self.role_of.get(&function.logical_id);
            if let Some(statements) = role.and_then(|role| self.roles.get(role)) {
                function.statements.clone_from(statements);
            }
        }
        self.stack
    }
}

/// Resolves what is served; inert properties are only checked for references that lead nowhere.
fn properties<'a>(resource: &Resource, active: bool, resolver: &Resolver<'a>) -> Fields<'a> {
    let path = join(&resource.path(), "Properties");
    let mut entries = Vec::new();
    let Some(kind) = resource.kind else {
        return Fields::new(resource.at, path, entries, resolver.problems);
    };
    for (key, node) in &resource.properties {
        let name = key.name.as_str();
        let path = join(&path, name);
        let served = kind.served.contains(&name);
        if !served && !kind.inert.contains(&name) {
            let known = kind.served.iter().chain(kind.inert).copied();
            let what = format!("property of {}", kind.name);
            resolver
                .problems
                .add(key.at, &path, refused(&what, name, known));
            continue;
        }
        // A role exists on AWS alone; a function names it, but nobody here evaluates the name.
        let evaluated = served && kind.standing == Standing::Served && name != "Role";
        let mode = match (active, evaluated) {
            (false, _) => Mode::Dormant,
            (true, true) => Mode::Served,
            (true, false) => Mode::Open,
        };
        let value = resolver.resolve(node, &path, mode);
        if let (true, Some(value)) = (served, value) {
            entries.push((key.clone(), value));
        }
    }
    Fields::new(resource.at, path, entries, resolver.problems)
}

fn check_depends_on(resource: &Resource, resolver: &Resolver<'_>) {
    let path = join(&resource.path(), "DependsOn");
    for (at, name) in &resource.depends_on {
        if resolver.resource(name).is_none() {
            resolver
                .problems
                .add(*at, &path, format!("no resource is called `{name}`"));
        }
    }
}

fn outputs(document: &Document, resolver: &Resolver<'_>) -> Vec<Output> {
    const KEYS: &[&str] = &["Description", "Value", "Export", "Condition"];
    let mut found = Vec::new();
    for (key, node) in &document.outputs {
        let path = join("Outputs", &key.name);
        for (entry, _) in node.entries().unwrap_or_default() {
            if !KEYS.contains(&entry.name.as_str()) {
                let message = refused("key", &entry.name, KEYS.iter().copied());
                resolver
                    .problems
                    .add(entry.at, &join(&path, &entry.name), message);
            }
        }
        let condition = node
            .get("Condition")
            .and_then(|condition| Some((condition.at, condition.text()?.to_owned())));
        let active = resolver.active(condition.as_ref(), &path);
        let Some(value) = node.get("Value") else {
            resolver.problems.add(key.at, &path, "`Value` is missing");
            continue;
        };
        let mode = if active { Mode::Open } else { Mode::Dormant };
        let value = resolver.resolve(value, &join(&path, "Value"), mode);
        if let (true, Some(value)) = (active, value) {
            found.push(Output {
                name: key.name.clone(),
                position: key.at,
                description: node
                    .get("Description")
                    .and_then(Node::text)
                    .map(str::to_owned),
                value: value.to_expr(),
            });
        }
    }
    found
}

/// FIFO-ness must agree along each way a message can take.
fn check_fifo(stack: &Stack, problems: &Collector) {
    let is_fifo = |target: &Expr| stack.queue(target.target()?).map(|queue| queue.fifo);
    for queue in &stack.queues {
        let Some(redrive) = &queue.redrive else {
            continue;
        };
        if is_fifo(&redrive.dead_letter_queue).is_some_and(|fifo| fifo != queue.fifo) {
            let message = "the dead-letter queue of a FIFO queue must be FIFO, and of no other";
            add(problems, queue.position, &queue.logical_id, message);
        }
    }
    for subscription in &stack.subscriptions {
        let topic = subscription.topic.target().and_then(|id| stack.topic(id));
        let Some(fifo_topic) = topic.map(|topic| topic.fifo) else {
            continue;
        };
        let (at, id) = (subscription.position, &subscription.logical_id);
        if !fifo_topic && is_fifo(&subscription.endpoint) == Some(true) {
            add(
                problems,
                at,
                id,
                "a FIFO queue can subscribe to a FIFO topic only",
            );
        }
        let dead_letters = subscription.dead_letter_queue.as_ref().and_then(is_fifo);
        if dead_letters.is_some_and(|fifo| fifo != fifo_topic) {
            let message = "a FIFO topic's subscription has a FIFO dead-letter queue, and no other";
            add(problems, at, id, message);
        }
    }
    for function in &stack.functions {
        for event in &function.events {
            let EventSource::Sqs(source) = event else {
                continue;
            };
            if is_fifo(&source.queue) == Some(true)
                && (source.batch_size > 10 || source.window_s > 0)
            {
                let message = "a mapping of a FIFO queue has no window and 10 records at most";
                add(problems, source.position, &function.logical_id, message);
            }
        }
    }
}

fn check_streams(stack: &Stack, problems: &Collector) {
    for function in &stack.functions {
        for event in &function.events {
            let EventSource::Stream(source) = event else {
                continue;
            };
            let table = source.stream.target().and_then(|id| stack.table(id));
            if table.is_some_and(|table| table.stream.is_none()) {
                let message = "the table has no stream (`StreamSpecification`)";
                add(problems, source.position, &function.logical_id, message);
            }
        }
    }
}

fn add(problems: &Collector, at: Position, logical_id: &str, message: &str) {
    problems.add(at, &join("Resources", logical_id), message);
}
