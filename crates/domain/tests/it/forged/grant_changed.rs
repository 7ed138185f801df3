use wane_domain::grant::Grant;
use wane_domain::time::Span;

fn widen(mut grant: Grant) {
    grant.window.duration = Span::from_hours(9);
}

fn main() {}
