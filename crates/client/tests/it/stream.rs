//! The event stream: goes on where it broke off, says when it cannot, ends when it may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt;
use wane_api::Class;

use crate::served::serve;

fn event(seq: u64) -> String {
    format!(
        "id: {seq}\ndata: {{\"seq\":{seq},\"id\":\"evt_{seq}\",\"at\":\"2026-11-21T09:00:00Z\",\"who\":\"ada\",\"event\":\"grant.activated\",\"outcome\":\"done\"}}\n\n"
    )
}

fn stream_of(body: String) -> Response {
    ([("content-type", "text/event-stream")], body).into_response()
}

#[tokio::test]
async fn it_goes_on_where_it_broke_off() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let handler = move |headers: HeaderMap| {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        let after = headers.get("last-event-id").map(|v| v.to_str().unwrap().to_owned());
        async move {
            match nth {
                0 => {
                    assert_eq!(after.as_deref(), Some("4"));
                    // A heartbeat, two events, and half an event: the half is not to be believed.
                    stream_of(format!(": beat\n\n{}{}{}", event(5), event(6), &event(7)[..40]))
                }
                1 => (StatusCode::SERVICE_UNAVAILABLE, "").into_response(),
                2 => {
                    assert_eq!(after.as_deref(), Some("6"));
                    stream_of(event(7))
                }
                _ => (StatusCode::FORBIDDEN, "").into_response(),
            }
        }
    };
    let served = serve(Router::new().route("/v1/events", get(handler))).await;
    let seen = served.client.events(Some(4)).map(|r| r.map(|r| r.seq).map_err(|e| e.class())).collect::<Vec<_>>().await;
    assert_eq!(seen, [Ok(5), Ok(6), Err(Class::Busy), Ok(7), Err(Class::Denied)]);
    assert_eq!(opened.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn an_event_without_end_is_cut() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let handler = move || {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        async move {
            if nth > 0 {
                return (StatusCode::FORBIDDEN, "").into_response();
            }
            let chunk = || Some((Ok::<_, std::io::Error>(axum::body::Bytes::from_static(&[b'x'; 65536])), ()));
            let endless = futures::stream::unfold((), move |()| async move { chunk() });
            ([("content-type", "text/event-stream")], Body::from_stream(endless)).into_response()
        }
    };
    let served = serve(Router::new().route("/v1/events", get(handler))).await;
    let mut events = served.client.events(None);
    assert!(events.next().await.unwrap().is_err_and(|e| e.class() == Class::Denied), "cut, opened again, refused");
    assert!(events.next().await.is_none());
}
