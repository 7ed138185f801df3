//! The event stream: what happens comes, in order, to those who may see it, while they may.

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::StatusCode;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::house::House;

/// Records of the stream until one is of this event.
async fn until(stream: &mut BodyDataStream, event: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut text = String::new();
    let reading = async {
        while let Some(chunk) = stream.next().await {
            text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            while let Some(end) = text.find("\n\n") {
                let block: String = text.drain(..end + 2).collect();
                let field = |name: &str| {
                    block.lines().find_map(|l| l.strip_prefix(name).map(str::trim_start).map(str::to_owned))
                };
                let Some(data) = field("data:") else { continue };
                let record: Value = serde_json::from_str(&data).unwrap();
                assert_eq!(field("id:").unwrap(), record["seq"].to_string());
                seen.push(record);
                if seen.last().unwrap()["event"] == event {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap();
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_comes_in_order() {
    let house = House::built().await;
    let token = Some(house.token.as_str());
    let response = house.open("GET", "/v1/events", token, None, Value::Null).await;
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    let mut stream = response.into_body().into_data_stream();
    let busy = house.open("GET", "/v1/events", token, None, Value::Null).await;
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE, "there is one place");

    house.call("POST", "/v1/people", token, None, json!({ "name": "bo" })).await;
    house.call("POST", "/v1/locks", token, None, json!({ "person": "bo", "reason": "r" })).await;
    let seen = until(&mut stream, "lock.imposed").await;
    assert!(seen.is_sorted_by(|a, b| a["seq"].as_u64() < b["seq"].as_u64()));
    assert!(seen.iter().all(|r| r["who"] == "ada"), "{seen:?}");
    drop(stream);

    // From the beginning on, as somebody who was away.
    let mut request = axum::http::Request::get("/v1/events").header("last-event-id", "0");
    request = request.header("authorization", format!("Bearer {}", house.token));
    let router = house.router.clone();
    let response = tower::ServiceExt::oneshot(router, request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let mut stream = response.into_body().into_data_stream();
    let all = until(&mut stream, "lock.imposed").await;
    assert!(all.len() > seen.len() && all.ends_with(&seen));

    house.stop.cancel();
    let rest = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.unwrap();
    assert!(rest.is_none(), "a stopping server ends its streams");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session() {
    let house = House::built().await;
    let token = Some(house.token.as_str());
    let mut stream = house.open("GET", "/v1/events", token, None, Value::Null).await.into_body().into_data_stream();
    house.call("DELETE", "/v1/sessions/current", token, None, Value::Null).await;
    // The sign-out itself is what wakes the stream; it may not be told to a session that is over.
    let next = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.unwrap();
    assert!(next.is_none(), "{next:?}");
}
