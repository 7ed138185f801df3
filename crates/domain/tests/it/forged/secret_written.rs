fn main() {
    let secret = wane_domain::secret::SecretOnce::new("s".to_owned());
    let _ = serde_json::to_string(&secret);
}
