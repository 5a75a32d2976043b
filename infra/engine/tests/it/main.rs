//! The engine through the AWS SDK, in process and over a socket.

mod dynamo;
mod served;
mod streams;
mod support;
