//! Where a host name leads. Emulators name an API `ID.execute-api.localhost`, which many systems'
//! resolvers do not know.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

/// The system's resolver, but `localhost` and all below it are this machine, as RFC 6761,
/// section 6.3 has it.
#[derive(Clone)]
pub(super) struct Resolver(GaiResolver);

impl Resolver {
    pub(super) fn new() -> Self {
        Self(GaiResolver::new())
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if is_this_machine(name.as_str()) {
            // The connector puts the port in.
            let here = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
            return async move { Ok(here.into_iter()) }.boxed();
        }
        self.0
            .call(name)
            .map(|found| Ok(found?.collect::<Vec<_>>().into_iter()))
            .boxed()
    }
}

fn is_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn every_name_below_localhost_is_this_machine() {
        assert!(is_this_machine("localhost"));
        assert!(is_this_machine("a1b2.execute-api.LOCALHOST."));
        assert!(!is_this_machine("notlocalhost"));
        assert!(!is_this_machine("localhost.example.com"));
    }
}
