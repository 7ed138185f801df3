//! The object store of recordings: all of it or none.

use std::path::PathBuf;
use std::time::Duration;

use super::Reader;
use crate::error::ConfigError;
use crate::layer::Origin;
use crate::parse;
use crate::secret::SecretRef;
use crate::settings::{RecordingStore, StoreAddressing};

const BUCKET: &str = "recording.store.bucket";
const ENDPOINT: &str = "recording.store.endpoint";
/// What says nothing by itself.
const BESIDE: &[&str] = &[
    ENDPOINT,
    "recording.store.region",
    "recording.store.prefix",
    "recording.store.access_key_id.file",
    "recording.store.access_key_id.env",
    "recording.store.secret_access_key.file",
    "recording.store.secret_access_key.env",
    "recording.store.path_style",
    "recording.store.ca",
    "recording.store.allow_http",
    "recording.store.keep_local",
];

impl Reader {
    /// Where recordings go once their sessions are over; none unless a bucket is set.
    pub(super) fn recording_store(&mut self) -> Option<Option<RecordingStore>> {
        if self.layers.get(BUCKET).is_none() {
            self.explain(BUCKET, String::new(), Origin::Default);
            let mut good = true;
            for key in BESIDE {
                if self.layers.get(key).is_some() {
                    self.refuse(key, format!("`{key}` needs `{BUCKET}`; set it, or leave `[recording.store]` out"));
                    good = false;
                } else {
                    self.explain(key, String::new(), Origin::Default);
                }
            }
            return good.then_some(None);
        }
        let bucket = self.read(BUCKET, parse::bucket);
        let region = self.read("recording.store.region", parse::word_of_its_own);
        let aws = region.as_ref().map(|region| format!("https://s3.{region}.amazonaws.com")).unwrap_or_default();
        let named = self.layers.get(ENDPOINT).is_some();
        let endpoint = self.read_or(ENDPOINT, &aws, parse::origin_url);
        let prefix = self.read("recording.store.prefix", parse::prefix);
        let access_key_id = self.reference("recording.store.access_key_id.file", "recording.store.access_key_id.env");
        let secret_access_key =
            self.reference("recording.store.secret_access_key.file", "recording.store.secret_access_key.env");
        // Names of buckets are names of hosts at Amazon, and seldom elsewhere.
        let path_style = self.read_or("recording.store.path_style", if named { "true" } else { "false" }, parse::flag);
        let ca = self.maybe("recording.store.ca").map(PathBuf::from);
        let allow_http = self.read("recording.store.allow_http", parse::flag);
        let keep_local = self.read("recording.store.keep_local", |text| match text {
            "0s" => Ok(Duration::ZERO),
            _ => parse::duration(text).map_err(|_| "write a length of time, for instance `0s` or `7d`".to_owned()),
        });
        if let (Some(endpoint), Some(false)) = (&endpoint, allow_http)
            && let Some(host) = endpoint.strip_prefix("http://")
            && !is_this_machine(host)
        {
            let why = format!(
                "`{ENDPOINT}` is `{endpoint}`, which is not this machine, without TLS; use `https://`, or set \
                 `recording.store.allow_http = true` if the network in between is trusted"
            );
            self.refuse(ENDPOINT, why);
        }
        let addressing = if path_style? { StoreAddressing::Path } else { StoreAddressing::Host };
        Some(Some(RecordingStore {
            endpoint: endpoint?,
            bucket: bucket?,
            prefix: prefix?,
            region: region?,
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
            addressing,
            ca,
            allow_http: allow_http?,
            keep_local: keep_local?,
        }))
    }

    /// A secret that must be referred to, in one of two ways.
    fn reference(&mut self, in_file: &'static str, in_env: &'static str) -> Option<SecretRef> {
        let section = in_file.trim_end_matches(".file");
        match (self.maybe(in_file), self.maybe(in_env)) {
            (Some(path), None) => Some(SecretRef::File(path.into())),
            (None, Some(name)) => Some(SecretRef::Env(name)),
            (Some(_), Some(_)) => {
                let why = format!("`{section}` is given as a file and as an environment variable; choose one");
                self.refuse(in_env, why);
                None
            }
            (None, None) => {
                // Where it was given in the wrong form, that was said already.
                let said = |e: &ConfigError| {
                    matches!(e, ConfigError::InlineSecret { key, .. } if key == section)
                        || matches!(e, ConfigError::Invalid { key, .. } if *key == in_file || *key == in_env)
                };
                if !self.layers.errors.iter().any(said) {
                    let why = format!(
                        "`{BUCKET}` needs `{section}`; refer to it with `{{ file = \"…\" }}` or `{{ env = \"…\" }}`"
                    );
                    self.refuse(BUCKET, why);
                }
                None
            }
        }
    }
}

/// Whether a `host` or `host:port` is a loopback address or `localhost`.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
