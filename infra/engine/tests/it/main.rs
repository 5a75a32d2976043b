//! The engine through the AWS SDK, in process and over a socket.

mod dynamo;
mod fifo;
mod filters;
mod killed;
mod publishing;
mod queues;
mod served;
mod sns;
mod sqs;
mod streams;
mod support;
mod topics;
