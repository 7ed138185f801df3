//! Inputs that get somewhere.

use super::genuine;
use crate::access::SeedSigner;
use crate::draw::{texts, words};

pub(crate) fn ssh_key() -> Vec<Vec<u8>> {
    let own = SeedSigner::private("client").public_key().to_openssh().unwrap();
    texts(&[
        &own,
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFhxFHYnYO+zMPpx4XhgMh1VxOZUHbEZmZZjz6DtQvjaMtLTCBQ4yc8cPPvOjOZ1EPnKg8dnvgpzZDCClbOdqDU= a",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== short",
        "ssh-dss AAAAB3NzaC1kc3MAAACBAA==",
        "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t",
        "command=\"x\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==",
    ])
}

pub(crate) fn ssh_certificate() -> Vec<Vec<u8>> {
    vec![genuine().0]
}

pub(crate) fn ssh_agent() -> Vec<Vec<u8>> {
    let cert = genuine().2;
    let part = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let login = [
        part(b"session"),
        vec![50],
        part(b"deploy"),
        part(b"ssh-connection"),
        part(b"publickey"),
        vec![1],
        part(b"ssh-ed25519-cert-v01@openssh.com"),
        part(&cert),
    ]
    .concat();
    let sign = [vec![13], part(&cert), part(&login), vec![0; 4]].concat();
    vec![vec![11], sign, vec![17], vec![27, 0, 0, 0, 1]]
}

pub(crate) fn ssh_revocations() -> Vec<Vec<u8>> {
    let ids = words(&["grt_1", "grt_2", "", "grt_1"]);
    vec![[&[1; 16][..], &ids].concat(), b"SSHKRL\n\0\0\0\0\x01\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x09".to_vec()]
}

pub(crate) fn ssh_revocation_answer() -> Vec<Vec<u8>> {
    vec![genuine().3.to_string().into_bytes()]
}

pub(crate) fn ssh_notes() -> Vec<Vec<u8>> {
    vec![genuine().1.to_string().into_bytes()]
}

pub(crate) fn ssh_cidr() -> Vec<Vec<u8>> {
    [
        ["192.0.2.0/24", "192.0.2.7"],
        ["0.0.0.0/0", "::/0"],
        ["2001:db8::/32", "2001:db8:1::/48"],
        ["::ffff:1.2.3.4", "1.2.3.4/32"],
    ]
    .iter()
    .map(|pair| words(pair))
    .collect()
}

pub(crate) fn ssh_host_name() -> Vec<Vec<u8>> {
    texts(&[
        "web.example.org",
        "192.0.2.7",
        "2001:DB8::7",
        "127.1",
        "-oProxyCommand=x",
        "a_b-c",
        "*.example.org",
        "::ffff:192.0.2.7",
    ])
}

pub(crate) fn ssh_settings() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"address":"web.example.org:22","read_back":"query","pull_secs":30,"host_names":["web","192.0.2.7"]}"#,
        r#"{"address":"[2001:db8::7]:2222","read_back":"none"}"#,
    ])
}

pub(crate) fn ssh_role() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"principals":["deploy","www"],"extensions":["permit-pty","permit-user-rc"],"force_command":"uptime -p","source_address":["192.0.2.0/24","2001:db8::/32"]}"#,
        r#"{"principals":["_a"]}"#,
    ])
}

pub(crate) fn sshd_config() -> Vec<Vec<u8>> {
    texts(&[
        "Include /etc/ssh/sshd_config.d/*.conf\nPort 22\n",
        "# >>> wane: written by `wane host setup`; edits inside are lost\nRevokedKeys /a\n# <<< wane\nPort 22\n",
        "# <<< wane\n# >>> wane: written by `wane host setup`; edits inside are lost\n",
        "Port 22\r\n# <<< wane\r\n",
    ])
}

pub(crate) fn ssh_login() -> Vec<Vec<u8>> {
    texts(&["deploy%web-1", "deploy%web.example", "root", "%web", "a%b%c", "deploy%web\u{1b}[2J"])
}

pub(crate) fn ssh_command() -> Vec<Vec<u8>> {
    texts(&[
        "systemctl restart nginx.service",
        r#"echo 'a;  b' "it's" \$HOME '*' -n"#,
        r#"printf "%s\"\\\`" 'a'"b"c"#,
        "echo a; id",
        "echo $(id)",
        "'unclosed",
    ])
}

pub(crate) fn ssh_greeting() -> Vec<Vec<u8>> {
    let hello = |version: &str, names: &str| {
        let payload =
            [&[4, 20][..], &[7; 16], &u32::try_from(names.len()).unwrap().to_be_bytes(), names.as_bytes()].concat();
        [version.as_bytes(), &u32::try_from(payload.len()).unwrap().to_be_bytes(), &payload].concat()
    };
    vec![
        hello("SSH-2.0-OpenSSH_9.9\r\n", "curve25519-sha256,kex-strict-c-v00@openssh.com"),
        hello("SSH-2.0-x\n", "curve25519-sha256"),
        hello("SSH-1.5-x\r\n", "kex-strict-c-v00@openssh.com"),
        b"GET / HTTP/1.1\r\n".to_vec(),
    ]
}
