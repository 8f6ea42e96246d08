//! What one route does. Its handler's signature says what it takes and what it gives; only what no type can say is said
//! in words.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use chassis::problem::Problem;
use chassis_rest::extract::{Json, Path, Query};
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// How the schema of a type is made.
pub(crate) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// A route, as callers see it.
pub struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) path_parameters: Option<MakeSchema>,
    pub(crate) query: Option<MakeSchema>,
    pub(crate) body: Option<MakeSchema>,
    /// The status of success, and what comes with it.
    pub(crate) status: u16,
    pub(crate) content: Option<MakeSchema>,
    pub(crate) has_location: bool,
    /// What a token must allow.
    pub(crate) scope: Option<&'static str>,
    pub(crate) refusals: Vec<(u16, &'static str)>,
}

impl Operation {
    pub fn get<A, H: Described<A>>(path: &'static str, handler: H) -> Self {
        Self::new("get", path, handler)
    }

    pub fn post<A, H: Described<A>>(path: &'static str, handler: H) -> Self {
        Self::new("post", path, handler)
    }

    pub fn put<A, H: Described<A>>(path: &'static str, handler: H) -> Self {
        Self::new("put", path, handler)
    }

    pub fn patch<A, H: Described<A>>(path: &'static str, handler: H) -> Self {
        Self::new("patch", path, handler)
    }

    pub fn delete<A, H: Described<A>>(path: &'static str, handler: H) -> Self {
        Self::new("delete", path, handler)
    }

    fn new<A, H: Described<A>>(method: &'static str, path: &'static str, _: H) -> Self {
        let mut operation = Self::bare(method, path);
        H::describe(&mut operation);
        operation
    }

    /// Takes nothing and gives nothing.
    pub(crate) fn bare(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            path,
            id: "",
            summary: "",
            path_parameters: None,
            query: None,
            body: None,
            status: 204,
            content: None,
            has_location: false,
            scope: None,
            refusals: Vec::new(),
        }
    }

    /// A name for generated clients, and one line for people.
    pub fn named(mut self, id: &'static str, summary: &'static str) -> Self {
        (self.id, self.summary) = (id, summary);
        self
    }

    /// Success makes something, and says where it is.
    pub fn creates(mut self) -> Self {
        (self.status, self.has_location) = (201, true);
        self
    }

    /// What a token must allow, as in `auth::scope`.
    pub fn scope(mut self, scope: &'static str) -> Self {
        self.scope = Some(scope);
        self
    }

    /// An error of the handler's own. What extractors and layers refuse is known already.
    pub fn refuses(mut self, status: u16, reason: &'static str) -> Self {
        self.refusals.push((status, reason));
        self
    }
}

/// A handler, whose signature says what it takes and gives.
pub trait Described<Arguments> {
    fn describe(operation: &mut Operation);
}

/// What a handler takes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` says nothing to the OpenAPI document",
    note = "implement `chassis_openapi::Input` for it; an empty one when it is no part of the interface"
)]
pub trait Input {
    fn describe(_: &mut Operation) {}
}

/// What a handler gives.
#[diagnostic::on_unimplemented(
    message = "`{Self}` says nothing to the OpenAPI document",
    note = "implement `chassis_openapi::Output` for it"
)]
pub trait Output {
    fn describe(operation: &mut Operation);
}

macro_rules! described {
    ($($argument:ident),*) => {
        impl<H, A, $($argument: Input),*> Described<($($argument,)*)> for H
        where
            H: Fn($($argument),*) -> A,
            A: Future<Output: Output>,
        {
            fn describe(operation: &mut Operation) {
                $($argument::describe(operation);)*
                A::Output::describe(operation);
            }
        }
    };
}

described!();
described!(A1);
described!(A1, A2);
described!(A1, A2, A3);
described!(A1, A2, A3, A4);
described!(A1, A2, A3, A4, A5);
described!(A1, A2, A3, A4, A5, A6);

// Nothing that a caller sees.
impl<T> Input for State<T> {}
impl<T> Input for Extension<T> {}
impl Input for HeaderMap {}

impl<T: JsonSchema> Input for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.body = Some(SchemaGenerator::subschema_for::<T>);
    }
}

impl<T: JsonSchema> Input for Path<T> {
    fn describe(operation: &mut Operation) {
        operation.path_parameters = Some(T::json_schema);
    }
}

impl<T: JsonSchema> Input for Query<T> {
    fn describe(operation: &mut Operation) {
        operation.query = Some(T::json_schema);
    }
}

impl<T: JsonSchema> Output for axum::Json<T> {
    fn describe(operation: &mut Operation) {
        operation.status = 200;
        operation.content = Some(SchemaGenerator::subschema_for::<T>);
    }
}

/// No content.
impl Output for StatusCode {
    fn describe(_: &mut Operation) {}
}

impl<T: Output, const N: usize> Output for (StatusCode, [(HeaderName, String); N], T) {
    fn describe(operation: &mut Operation) {
        T::describe(operation);
    }
}

impl<T: Output> Output for Result<T, Problem> {
    fn describe(operation: &mut Operation) {
        T::describe(operation);
    }
}
