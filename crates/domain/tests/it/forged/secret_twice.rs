fn main() {
    let secret = wane_domain::secret::SecretOnce::new("s".to_owned());
    let _ = secret.reveal();
    let _ = secret.reveal();
}
