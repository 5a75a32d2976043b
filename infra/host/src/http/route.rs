//! Finds the route of a request.
//!
//! Precedence as <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>
//! has it: the most specific path first (a fixed segment before a variable before a
//! greedy `{proxy+}`), a method before `ANY`, `$default` last. A path that is known under
//! another method is not found, as in API Gateway.

use std::sync::Arc;

use axum::http::Method;
use percent_encoding::percent_decode_str;

/// All routes, each with what serves it.
#[derive(Debug)]
pub(crate) struct Routes<T> {
    /// Most specific first.
    routes: Vec<Route<T>>,
}

#[derive(Debug)]
struct Route<T> {
    key: Arc<str>,
    /// `None` for `ANY`.
    method: Option<Method>,
    segments: Vec<Segment>,
    target: T,
}

/// One part of a path. Ordered by how specific it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Fixed(String),
    Variable(String),
    Greedy(String),
}

/// A route that was found.
#[derive(Debug)]
pub(crate) struct Matched<'a, T> {
    pub target: &'a T,
    /// `POST /v1/events`.
    pub route_key: &'a Arc<str>,
    /// Decoded values of the path's variables, in the order of the path.
    pub parameters: Vec<(String, String)>,
}

impl<T> Routes<T> {
    /// Routes from method (`ANY` for all), path and target.
    pub(crate) fn new(routes: impl IntoIterator<Item = (String, String, T)>) -> Self {
        let mut routes: Vec<_> = routes
            .into_iter()
            .map(|(method, path, target)| Route {
                key: if path == "$default" {
                    path.as_str().into()
                } else {
                    format!("{method} {path}").into()
                },
                method: (method != "ANY")
                    .then(|| Method::from_bytes(method.as_bytes()).ok())
                    .flatten(),
                segments: if path == "$default" {
                    vec![Segment::Greedy(String::new())]
                } else {
                    path.trim_start_matches('/')
                        .split('/')
                        .map(Segment::new)
                        .collect()
                },
                target,
            })
            .collect();
        routes.sort_by_key(|route| {
            let ranks: Vec<u8> = route.segments.iter().map(Segment::rank).collect();
            (ranks, route.method.is_none())
        });
        Routes { routes }
    }

    /// The most specific route for a request.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<Matched<'_, T>> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        self.routes
            .iter()
            .filter(|route| route.method.as_ref().is_none_or(|wanted| wanted == method))
            .find_map(|route| {
                Some(Matched {
                    parameters: parameters(&route.segments, &parts)?,
                    target: &route.target,
                    route_key: &route.key,
                })
            })
    }
}

impl Segment {
    fn new(text: &str) -> Self {
        match text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
        {
            None => Segment::Fixed(text.to_owned()),
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Segment::Greedy(name.to_owned()),
                None => Segment::Variable(name.to_owned()),
            },
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Segment::Fixed(_) => 0,
            Segment::Variable(_) => 1,
            Segment::Greedy(_) => 2,
        }
    }
}

/// The variables' values, or `None` if the path does not match.
fn parameters(segments: &[Segment], parts: &[&str]) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut parts = parts.iter();
    for segment in segments {
        match segment {
            Segment::Fixed(text) => {
                if decode(parts.next()?) != *text {
                    return None;
                }
            }
            Segment::Variable(name) => {
                let part = parts.next().filter(|part| !part.is_empty())?;
                found.push((name.clone(), decode(part)));
            }
            Segment::Greedy(name) => {
                let rest: Vec<String> = parts.by_ref().map(|part| decode(part)).collect();
                if !name.is_empty() {
                    if rest.iter().all(String::is_empty) {
                        return None;
                    }
                    found.push((name.clone(), rest.join("/")));
                }
            }
        }
    }
    parts.next().is_none().then_some(found)
}

fn decode(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes<&'static str> {
        Routes::new(
            [
                ("GET", "/v1/{proxy+}", "rest"),
                ("ANY", "/v1/slots/{id}", "any-slot"),
                ("GET", "/v1/slots/{id}", "slot"),
                ("GET", "/v1/slots/open", "open"),
                ("POST", "/v1/waitlists/{w}/entries", "join"),
                ("GET", "/", "root"),
            ]
            .map(|(method, path, target)| (method.to_owned(), path.to_owned(), target)),
        )
    }

    fn found(method: Method, path: &str) -> Option<&'static str> {
        routes().find(&method, path).map(|matched| *matched.target)
    }

    #[test]
    fn the_most_specific_route_wins() {
        assert_eq!(found(Method::GET, "/v1/slots/open"), Some("open"));
        assert_eq!(found(Method::GET, "/v1/slots/7"), Some("slot"));
        assert_eq!(found(Method::PUT, "/v1/slots/7"), Some("any-slot"));
        assert_eq!(found(Method::GET, "/v1/slots/7/more"), Some("rest"));
        assert_eq!(found(Method::GET, "/"), Some("root"));
    }

    #[test]
    fn an_unknown_path_or_method_is_not_found() {
        assert_eq!(found(Method::POST, "/v1/other"), None);
        assert_eq!(found(Method::GET, "/v2"), None);
        assert_eq!(found(Method::POST, "/v1/waitlists//entries"), None);
        assert_eq!(found(Method::GET, "/v1/"), None);
    }

    #[test]
    fn path_variables_are_decoded() {
        let routes = routes();
        let matched = routes
            .find(&Method::POST, "/v1/waitlists/table%20for%20two/entries")
            .expect("a route");
        assert_eq!(matched.route_key.as_ref(), "POST /v1/waitlists/{w}/entries");
        assert_eq!(
            matched.parameters,
            [("w".to_owned(), "table for two".to_owned())]
        );
    }

    #[test]
    fn the_default_route_takes_what_no_other_does() {
        let routes = Routes::new([
            ("ANY".to_owned(), "$default".to_owned(), 0),
            ("GET".to_owned(), "/a".to_owned(), 1),
        ]);
        let target = |path| {
            routes
                .find(&Method::GET, path)
                .map(|matched| *matched.target)
        };
        assert_eq!(target("/a"), Some(1));
        assert_eq!(target("/b/c"), Some(0));
    }
}
