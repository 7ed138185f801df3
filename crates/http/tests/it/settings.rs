//! Settings of the running server: told to those who may read policies, and to nobody else.

use axum::http::StatusCode;
use serde_json::{Value, json};
use wane_api::settings::SettingView;
use wane_http::Limits;

use crate::stage::{Stage, is_clear};

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_told_to_those_who_may_read_policies() {
    let mut stage = Stage::set().await;
    let listen = SettingView {
        key: "server.listen".to_owned(),
        value: "127.0.0.1:7440".to_owned(),
        origin: "default".to_owned(),
        doc: "Address and port to listen on.".to_owned(),
    };
    let limits = Limits { settings: vec![listen.clone()], ..Limits::default() };
    stage.house.router = wane_http::router(stage.house.app.clone(), &limits, stage.house.stop.clone());
    for (token, status) in [(None, StatusCode::UNAUTHORIZED), (Some(stage.bo.as_str()), StatusCode::FORBIDDEN)] {
        let said = stage.house.call("GET", "/v1/settings", token, None, Value::Null).await;
        assert_eq!(said.status, status, "{said:?}");
        is_clear(&said, "settings");
        assert!(!said.body.to_string().contains("7440"), "{said:?}");
    }
    let said = stage.house.get("/v1/settings").await;
    assert_eq!((said.status, said.body), (StatusCode::OK, json!({ "items": [listen] })));
}
