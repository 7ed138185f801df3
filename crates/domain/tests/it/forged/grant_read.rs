fn forge(text: &str) -> wane_domain::grant::Grant {
    serde_json::from_str(text).unwrap()
}

fn main() {}
