//! The engine through the AWS SDK, in process and over a socket.

mod dynamo;
mod fifo;
mod filters;
mod functions;
mod hook;
mod killed;
mod killed_deliveries;
mod metrics;
mod moves;
mod publishing;
mod query;
mod queues;
mod rules;
mod served;
mod sns;
mod sqs;
mod streams;
mod support;
mod telephones;
mod tenants;
mod tenants_kept;
mod topics;
mod web_retries;
mod web_subscriptions;
