//! Certificates that come back: of all that can be shown one is believed, and it says which issue it is.

use serde_json::json;
use wane_connector::{CertificateRead, Kind as _};
use wane_domain::time::Span;

use crate::world::{Bench, P256, With, World};

#[test]
fn of_all_that_is_shown_a_living_clients_certificate_of_ours_is_believed() {
    for (seed, with) in [(60, With::P256), (61, With::Ed25519)] {
        let (world, other) = (World::new(seed, with), World::new(seed + 10, with));
        let bench = Bench::new();
        let request = bench.request(P256, "");
        let der = |world: &World, usage: &serde_json::Value| {
            let resource = world.resource(&json!({}));
            let role = world.role(usage);
            let held = world.hold(&resource, &role, Span::from_hours(1));
            let issued = world.issue(&held, &resource, &role, &request).unwrap();
            bench.put("cert.pem", issued.handed.public["certificate"].as_str().unwrap());
            bench.must("x509 -in cert.pem -outform DER -out cert.der");
            let serial = issued.inventory["serial"].as_str().unwrap().to_owned();
            (std::fs::read(bench.path().join("cert.der")).unwrap(), CertificateRead { grant: held.grant.id, serial })
        };
        let known = world.kind.certificates().unwrap();
        assert_eq!(known.roots().len(), 1);
        let client = json!({ "use": "client", "life_secs": 600 });
        let (good, read) = der(&world, &client);
        assert_eq!(known.read(&good, world.now()), Some(read));
        // Signed by another, of the same name or not; changed anywhere; with something behind it; none at all.
        let (theirs, _) = der(&other, &client);
        let (server, _) = der(&world, &json!({ "use": "server", "dns_names": ["a.example"], "life_secs": 600 }));
        let longer = [good.as_slice(), &[0]].concat();
        for (what, shown) in
            [("of another authority", &theirs), ("a server's", &server), ("with more", &longer), ("empty", &Vec::new())]
        {
            assert_eq!(known.read(shown, world.now()), None, "{what}");
        }
        for at in (0..good.len()).step_by(7).chain([good.len() - 1]) {
            let mut changed = good.clone();
            changed[at] ^= 1;
            assert_eq!(known.read(&changed, world.now()), None, "changed at {at}");
        }
        assert_eq!(known.read(&good, world.now().minus(Span::from_mins(2))), None, "before its time");
        assert_eq!(known.read(&good, world.now().plus(Span::from_secs(600))), None, "after its time");
    }
}
