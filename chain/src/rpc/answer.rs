//! Requests, one or many at once, and what they are answered with.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::{CallError, INVALID_REQUEST, NO_METHOD, PARSE};
use super::params::Params;
use super::{Api, BATCH_MAX, catalogue, methods};

/// What a body asks for.
#[derive(Debug)]
pub(super) enum Asked {
    One(Request),
    Many(Vec<Request>),
}

/// One request, well-formed or not.
#[derive(Debug)]
pub(super) struct Request {
    id: Value,
    /// Whether it is of version 2.0.
    is_second: bool,
    call: Result<(String, Params), CallError>,
}

impl Asked {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no JSON.
    pub(super) fn read(body: &[u8]) -> Result<Self, CallError> {
        match serde_json::from_slice(body) {
            Err(error) => Err(CallError::new(PARSE, error.to_string())),
            Ok(Value::Array(all)) if all.len() <= BATCH_MAX && !all.is_empty() => {
                Ok(Self::Many(all.into_iter().map(Request::read).collect()))
            }
            Ok(one) => Ok(Self::One(Request::read(one))),
        }
    }
}

impl Request {
    fn read(mut request: Value) -> Self {
        let is_second = request.get("jsonrpc").is_some_and(|it| it == "2.0");
        let mut take = |name| request.get_mut(name).map(Value::take).unwrap_or_default();
        let (id, method, params) = (take("id"), take("method"), take("params"));
        let call = match (method, params) {
            (Value::String(method), Value::Array(params)) => Ok((method, Params(params))),
            (Value::String(method), Value::Null) => Ok((method, Params(Vec::new()))),
            (Value::String(method), Value::Object(named)) => catalogue::find(&method)
                .and_then(|found| found.place(named))
                .map(|params| (method, params)),
            _ => Err(CallError::new(
                INVALID_REQUEST,
                "a request has a method, and parameters by place or by name",
            )),
        };
        Self {
            id,
            is_second,
            call,
        }
    }
}

/// Answers the body of a request.
pub(super) async fn all(api: &Api, body: &[u8]) -> Response {
    match Asked::read(body) {
        Err(error) => respond(
            StatusCode::INTERNAL_SERVER_ERROR,
            &reply(&Value::Null, false, Err(error)),
        ),
        Ok(Asked::Many(requests)) => {
            let mut answers = Vec::new();
            for request in requests {
                answers.push(one(api, request).await.1);
            }
            respond(StatusCode::OK, &Value::Array(answers))
        }
        Ok(Asked::One(request)) => {
            let (status, answer) = one(api, request).await;
            respond(status, &answer)
        }
    }
}

fn respond(status: StatusCode, answer: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, answer.to_string()).into_response()
}

async fn one(api: &Api, request: Request) -> (StatusCode, Value) {
    let is_second = request.is_second;
    let called = match request.call {
        Ok((method, params)) => methods::call(api, &method, params).await,
        Err(error) => Err(error),
    };
    // JSON-RPC 2.0 tells errors in the body alone; before, the status tells them too.
    let status = match &called {
        Err(error) if !is_second && error.code == NO_METHOD => StatusCode::NOT_FOUND,
        Err(error) if !is_second && error.code == INVALID_REQUEST => StatusCode::BAD_REQUEST,
        Err(_) if !is_second => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    };
    (status, reply(&request.id, is_second, called))
}

fn reply(id: &Value, is_second: bool, called: Result<Value, CallError>) -> Value {
    match (called, is_second) {
        (Ok(result), false) => json!({"result": result, "error": null, "id": id}),
        (Ok(result), true) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
        (Err(error), false) => json!({"result": null, "error": error.to_json(), "id": id}),
        (Err(error), true) => json!({"jsonrpc": "2.0", "error": error.to_json(), "id": id}),
    }
}
