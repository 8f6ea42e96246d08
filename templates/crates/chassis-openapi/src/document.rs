//! All operations of a service as one OpenAPI 3.1 document. What the layers answer around every handler is stated once,
//! and where it can occur.

use axum::http::StatusCode;
use chassis::Identity;
use chassis_rest::openapi::PATH;
use chassis_telemetry::request::MAX_REQUEST_ID;
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::Operation;
use crate::schemas::{Schemas, Use, path_parameters, query_parameters};

/// The name of the one way to say who is calling.
const TOKEN: &str = "token";

// `chassis::problem::Problem` as callers read it: a test holds the two together.
/// What a caller learns about a failure.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is of interest")]
struct Problem {
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    title: &'static str,
    /// What is wrong with this very request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    detail: Option<String>,
    /// To ask about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    request_id: Option<String>,
}

/// The document of a service.
pub struct Document {
    service: Identity,
    asks_for_tokens: bool,
    operations: Vec<Operation>,
}

impl Document {
    pub fn new(service: &Identity) -> Self {
        Self {
            service: *service,
            asks_for_tokens: false,
            operations: Vec::new(),
        }
    }

    /// The routes are behind `auth::require`.
    pub fn with_tokens(mut self) -> Self {
        self.asks_for_tokens = true;
        self
    }

    /// Routes, in the order in which they are to be read.
    pub fn with(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations.extend(operations);
        self
    }

    /// The document, as it is checked in.
    pub fn to_json(&self) -> String {
        let mut schemas = Schemas::default();
        let mut paths = Ordered::default();
        let mut refusals: Vec<u16> = Vec::new();
        for operation in &self.operations {
            let described = self.operation(operation, &mut schemas);
            paths.entry(operation.path)[operation.method] = described;
            refusals.extend(self.common_refusals(operation));
        }
        paths.entry(PATH)["get"] = this_document();
        refusals.extend(EVERYWHERE);
        refusals.sort_unstable();
        refusals.dedup();

        schemas.of(SchemaGenerator::subschema_for::<Problem>, Use::Given);
        let creates = self.operations.iter().any(|it| it.has_location);
        let responses = refusals
            .iter()
            .map(|status| (key(*status), refusal(*status)));
        let whole = Whole {
            openapi: "3.1.0",
            info: json!({ "title": self.service.name, "version": self.service.version }),
            security: self.asks_for_tokens.then(|| json!([{ TOKEN: [] }])),
            paths,
            components: Components {
                headers: headers(self.asks_for_tokens, creates),
                responses: responses.collect(),
                schemas: schemas.named,
                security_schemes: self.asks_for_tokens.then(|| {
                    json!({ TOKEN: { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } })
                }),
            },
        };
        let text = serde_json::to_string_pretty(&whole).unwrap_or_default();
        text + "\n"
    }

    fn operation(&self, operation: &Operation, schemas: &mut Schemas) -> Value {
        let mut described = json!({});
        if !operation.id.is_empty() {
            described["operationId"] = operation.id.into();
            described["summary"] = operation.summary.into();
        }
        if let Some(scope) = operation.scope {
            described["security"] = json!([{ TOKEN: [scope] }]);
        }
        let mut parameters = Vec::new();
        if let Some(make) = operation.path_parameters {
            let schema = schemas.of(make, Use::Taken);
            parameters.extend(path_parameters(operation.path, &schema));
        }
        if let Some(make) = operation.query {
            parameters.extend(query_parameters(&schemas.of(make, Use::Taken)));
        }
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        if let Some(make) = operation.body {
            let schema = schemas.of(make, Use::Taken);
            let content = json!({ "application/json": { "schema": schema } });
            described["requestBody"] = json!({ "required": true, "content": content });
        }
        let content = operation.content.map(|make| schemas.of(make, Use::Given));
        let mut responses = Map::new();
        let status = operation.status;
        let success = success(status, content, operation.has_location);
        responses.insert(status.to_string(), success);
        for status in self.common_refusals(operation) {
            responses.insert(status.to_string(), refer("responses", &key(status)));
        }
        for (status, reason) in &operation.refusals {
            let mut refusal = refusal(*status);
            refusal["description"] = (*reason).into();
            responses.insert(status.to_string(), refusal);
        }
        described["responses"] = responses.into();
        described
    }

    /// What extractors and layers answer in the handler's place.
    fn common_refusals(&self, operation: &Operation) -> Vec<u16> {
        let body = operation.body.is_some();
        let token = self.asks_for_tokens;
        let when = [
            (400, body || operation.query.is_some()),
            (401, token),
            (403, token && operation.scope.is_some()),
            (404, operation.path_parameters.is_some()),
            (408, body),
            (413, body),
            (415, body),
            (422, body),
        ];
        let some = when
            .iter()
            .filter(|(_, can)| *can)
            .map(|(status, _)| *status);
        some.chain(EVERYWHERE).collect()
    }
}

/// By the rate limit, after a panic, by the bulkhead, at the deadline.
const EVERYWHERE: [u16; 4] = [429, 500, 503, 504];

#[derive(Serialize)]
struct Whole {
    openapi: &'static str,
    info: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<Value>,
    paths: Ordered,
    components: Components,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    headers: Value,
    responses: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_schemes: Option<Value>,
    schemas: Ordered,
}

/// A JSON object whose keys keep the order in which they came.
#[derive(Default)]
pub(crate) struct Ordered(pub(crate) Vec<(String, Value)>);

impl Ordered {
    fn entry(&mut self, key: &str) -> &mut Value {
        let known = self.0.iter().position(|(known, _)| known == key);
        let at = known.unwrap_or_else(|| {
            self.0.push((key.to_owned(), json!({})));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// The document itself, which everyone may read.
fn this_document() -> Value {
    let mut described = json!({
        "operationId": "openapi",
        "summary": "This document",
        "security": [],
    });
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        success(200, Some(json!({ "type": "object" })), false),
    );
    for status in EVERYWHERE {
        responses.insert(status.to_string(), refer("responses", &key(status)));
    }
    described["responses"] = responses.into();
    described
}

fn success(status: u16, content: Option<Value>, has_location: bool) -> Value {
    let mut described = json!({
        "description": reason(status),
        "headers": { "x-request-id": refer("headers", "RequestId") },
    });
    if has_location {
        described["headers"]["location"] = refer("headers", "Location");
    }
    if let Some(schema) = content {
        described["content"] = json!({ "application/json": { "schema": schema } });
    }
    described
}

fn refusal(status: u16) -> Value {
    let mut headers = json!({ "x-request-id": refer("headers", "RequestId") });
    match status {
        401 | 403 => headers["www-authenticate"] = refer("headers", "Challenge"),
        429 | 503 => headers["retry-after"] = refer("headers", "RetryAfter"),
        _ => {}
    }
    let description = match status {
        400 => "The request cannot be read.",
        401 => "There is no token, or none that is valid here.",
        403 => "The token does not allow this.",
        404 => "There is nothing of this name.",
        408 => "The body took too long to arrive.",
        413 => "The body is too long.",
        415 => "The body does not say that it is JSON.",
        422 => "The body is JSON, but not what is asked for.",
        429 => "Too many requests from this client.",
        500 => "It failed; the log says why.",
        503 => "It cannot be done now.",
        504 => "It took too long.",
        _ => reason(status),
    };
    let schema = refer("schemas", "Problem");
    json!({
        "description": description,
        "headers": headers,
        "content": { "application/problem+json": { "schema": schema } },
    })
}

/// Only those that an answer has.
fn headers(with_challenge: bool, with_location: bool) -> Value {
    let required = |description, schema| json!({ "description": description, "required": true, "schema": schema });
    let text = json!({ "type": "string" });
    let id = json!({ "type": "string", "minLength": 1, "maxLength": MAX_REQUEST_ID });
    let mut headers = json!({
        "RequestId": required("Names the request in every log. A caller may name it by the same header.", &id),
        "RetryAfter": {
            "description": "Seconds until it makes sense to ask again.",
            "schema": { "type": "integer", "minimum": 0 },
        },
    });
    if with_challenge {
        headers["Challenge"] = required("What is wrong with the token, as in RFC 6750.", &text);
    }
    if with_location {
        headers["Location"] = required("Where the new one is.", &text);
    }
    headers
}

fn refer(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn reason(status: u16) -> &'static str {
    let status = StatusCode::from_u16(status).ok();
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Another answer")
}

/// What a status is called in the document: its reason in one word.
fn key(status: u16) -> String {
    reason(status).split(' ').collect()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::HeaderValue;
    use axum::response::IntoResponse;
    use chassis::problem;

    use super::*;

    #[tokio::test]
    async fn a_problem_is_what_the_document_says() {
        let problem = problem::Problem::new(StatusCode::NOT_FOUND).detail("why");
        let id = HeaderValue::from_static("id");
        let answer = problem::complete(problem.into_response(), &id).into_body();
        let written: Value =
            serde_json::from_slice(&to_bytes(answer, 4096).await.unwrap()).unwrap();
        let schema = SchemaGenerator::default().into_root_schema_for::<Problem>();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap();
        let names = |object: &Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(written.as_object().unwrap()), names(properties));
    }
}
