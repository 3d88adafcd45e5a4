//! Requests, one or many at once, and what they are answered with.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::error::{CallError, INVALID_REQUEST, NO_METHOD, PARSE};
use super::params::Params;
use super::{Api, BATCH_MAX, catalogue, methods};

/// Answers the body of a request.
pub(super) async fn all(api: &Api, body: &[u8]) -> Response {
    match serde_json::from_slice(body) {
        Err(error) => {
            let error = CallError::new(PARSE, error.to_string());
            respond(
                StatusCode::INTERNAL_SERVER_ERROR,
                &reply(&Value::Null, false, Err(error)),
            )
        }
        Ok(Value::Array(requests)) if requests.len() <= BATCH_MAX && !requests.is_empty() => {
            let mut answers = Vec::new();
            for request in requests {
                answers.push(one(api, request).await.1);
            }
            respond(StatusCode::OK, &Value::Array(answers))
        }
        Ok(request) => {
            let (status, answer) = one(api, request).await;
            respond(status, &answer)
        }
    }
}

fn respond(status: StatusCode, answer: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, answer.to_string()).into_response()
}

async fn by_name(api: &Api, method: &str, named: Map<String, Value>) -> Result<Value, CallError> {
    let params = catalogue::find(method)?.place(named)?;
    methods::call(api, method, params).await
}

async fn one(api: &Api, mut request: Value) -> (StatusCode, Value) {
    let id = request["id"].take();
    let is_second = request["jsonrpc"] == "2.0";
    let called = match (request["method"].as_str(), request["params"].clone()) {
        (Some(method), Value::Array(params)) => methods::call(api, method, Params(params)).await,
        (Some(method), Value::Null) => methods::call(api, method, Params(Vec::new())).await,
        (Some(method), Value::Object(named)) => by_name(api, method, named).await,
        _ => Err(CallError::new(
            INVALID_REQUEST,
            "a request has a method, and parameters by place or by name",
        )),
    };
    // JSON-RPC 2.0 tells errors in the body alone; before, the status tells them too.
    let status = match &called {
        Err(error) if !is_second && error.code == NO_METHOD => StatusCode::NOT_FOUND,
        Err(error) if !is_second && error.code == INVALID_REQUEST => StatusCode::BAD_REQUEST,
        Err(_) if !is_second => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    };
    (status, reply(&id, is_second, called))
}

fn reply(id: &Value, is_second: bool, called: Result<Value, CallError>) -> Value {
    match (called, is_second) {
        (Ok(result), false) => json!({"result": result, "error": null, "id": id}),
        (Ok(result), true) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
        (Err(error), false) => json!({"result": null, "error": error.to_json(), "id": id}),
        (Err(error), true) => json!({"jsonrpc": "2.0", "error": error.to_json(), "id": id}),
    }
}
