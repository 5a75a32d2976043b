//! Reads the HTTP API: integrations, authorizers and routes, and joins them to functions.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::problem::{Collector, Position};
use crate::resolve::Resolver;
use crate::stack::{Authorization, HttpApi, Route};
use crate::value::{Fields, Kind, Value, complain};

/// Methods a route key may name.
const METHODS: &[&str] = &[
    "ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT",
];

/// What was read of the API before its parts are joined.
#[derive(Default)]
pub(crate) struct Parts {
    apis: Vec<(String, Position)>,
    /// Integration → function.
    integrations: BTreeMap<String, String>,
    authorizers: BTreeMap<String, Authorization>,
    routes: Vec<UnjoinedRoute>,
}

struct UnjoinedRoute {
    at: Position,
    path: String,
    method: String,
    route: String,
    target: String,
    authorization: &'static str,
    authorizer: Option<String>,
}

impl Parts {
    pub(crate) fn api(&mut self, logical_id: &str, at: Position, mut fields: Fields<'_>) {
        fields.required_word("ProtocolType", &["HTTP"]);
        fields.finish();
        self.apis.push((logical_id.to_owned(), at));
    }

    pub(crate) fn integration(
        &mut self,
        logical_id: &str,
        mut fields: Fields<'_>,
        resolver: &Resolver<'_>,
    ) {
        of_api(&mut fields, resolver);
        fields.required_word("IntegrationType", &["AWS_PROXY"]);
        fields.required_word("PayloadFormatVersion", &["2.0"]);
        let function = fields
            .required("IntegrationUri")
            .filter(|value| resolver.leads_to(value, "AWS::Serverless::Function", Some("Arn")));
        fields.finish();
        if let Some(Value {
            kind: Kind::Reference(function),
            ..
        }) = function
        {
            self.integrations
                .insert(logical_id.to_owned(), function.logical_id);
        }
    }

    pub(crate) fn authorizer(
        &mut self,
        logical_id: &str,
        mut fields: Fields<'_>,
        resolver: &Resolver<'_>,
    ) {
        of_api(&mut fields, resolver);
        fields.required_word("AuthorizerType", &["JWT"]);
        let jwt = fields.map("JwtConfiguration");
        fields.finish();
        let Some(mut jwt) = jwt else { return };
        let issuer = jwt.required_text("Issuer");
        let audience = jwt
            .list("Audience")
            .iter()
            .filter_map(|item| crate::value::text(item, resolver.problems))
            .collect();
        jwt.finish();
        if let Some(issuer) = issuer {
            self.authorizers.insert(
                logical_id.to_owned(),
                Authorization::Jwt { issuer, audience },
            );
        }
    }

    pub(crate) fn route(&mut self, at: Position, mut fields: Fields<'_>, resolver: &Resolver<'_>) {
        of_api(&mut fields, resolver);
        let path = fields.path().to_owned();
        let key = fields.required("RouteKey");
        let target = fields.required("Target");
        let authorization = fields
            .word("AuthorizationType", &["NONE", "AWS_IAM", "JWT"])
            .unwrap_or("NONE");
        let authorizer = fields
            .take("AuthorizerId")
            .filter(|value| resolver.leads_to(value, "AWS::ApiGatewayV2::Authorizer", None));
        fields.finish();
        let route = key.and_then(|key| route_key(&key, resolver.problems));
        let target = target.and_then(|target| integration_of(&target, resolver.problems));
        let (Some((method, route)), Some(target)) = (route, target) else {
            return;
        };
        let authorizer = authorizer.and_then(|value| value.to_expr().target().map(str::to_owned));
        self.routes.push(UnjoinedRoute {
            at,
            path,
            method,
            route,
            target,
            authorization,
            authorizer,
        });
    }

    /// The API with its routes, each with the function behind it.
    pub(crate) fn join(self, problems: &Collector) -> Option<HttpApi> {
        for (logical_id, at) in self.apis.iter().skip(1) {
            let path = crate::yaml::join("Resources", logical_id);
            problems.add(*at, &path, "a second HTTP API is not served here");
        }
        let mut routes: Vec<Route> = Vec::new();
        for unjoined in self.routes {
            let twice =
                |route: &&Route| route.method == unjoined.method && route.path == unjoined.route;
            if let Some(other) = routes.iter().find(twice) {
                let message = format!("this route stands at {} already", other.position);
                problems.add(unjoined.at, &unjoined.path, message);
            }
            let Some(function) = self.integrations.get(&unjoined.target) else {
                if problems.is_empty() {
                    let message = format!("`{}` is no integration", unjoined.target);
                    problems.add(unjoined.at, &unjoined.path, message);
                }
                continue;
            };
            let authorizer = unjoined
                .authorizer
                .and_then(|id| self.authorizers.get(&id).cloned());
            let authorization = match (unjoined.authorization, authorizer) {
                ("NONE", None) => Authorization::Open,
                ("AWS_IAM", None) => Authorization::Iam,
                ("JWT", Some(authorizer)) => authorizer,
                _ => {
                    let message = "AuthorizerId goes with AuthorizationType JWT, and only with it";
                    problems.add(unjoined.at, &unjoined.path, message);
                    continue;
                }
            };
            routes.push(Route {
                position: unjoined.at,
                method: unjoined.method,
                path: unjoined.route,
                function: function.clone(),
                authorization,
            });
        }
        let (logical_id, position) = self.apis.into_iter().next()?;
        Some(HttpApi {
            logical_id,
            position,
            routes,
        })
    }
}

fn of_api(fields: &mut Fields<'_>, resolver: &Resolver<'_>) {
    if let Some(value) = fields.required("ApiId") {
        resolver.leads_to(&value, "AWS::ApiGatewayV2::Api", None);
    }
}

/// `GET /v1/slots/{id}` → method and path.
fn route_key(key: &Value, problems: &Collector) -> Option<(String, String)> {
    let text = crate::value::text(key, problems)?;
    let parts = text.split_once(' ').filter(|(method, path)| {
        METHODS.contains(method) && path.starts_with('/') && !path.contains(' ')
    });
    if parts.is_none() {
        let message = format!(
            "`{text}` is not served here; a route key is a method ({}) and a path",
            METHODS.join(", ")
        );
        problems.add(key.at, &key.path, message);
    }
    parts.map(|(method, path)| (method.to_owned(), path.to_owned()))
}

/// `!Sub 'integrations/${X}'` or the same by `Fn::Join` → `X`.
fn integration_of(target: &Value, problems: &Collector) -> Option<String> {
    if let Kind::Join { delimiter, parts } = &target.kind
        && let [
            prefix,
            Value {
                kind: Kind::Reference(reference),
                ..
            },
        ] = parts.as_slice()
        && reference.attribute.is_none()
        && let Kind::Scalar(Json::String(prefix)) = &prefix.kind
        && format!("{prefix}{delimiter}") == "integrations/"
    {
        return Some(reference.logical_id.clone());
    }
    complain(target, "must be `!Sub 'integrations/${X}'`", problems);
    None
}
