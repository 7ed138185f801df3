//! A real database that is registered, and the accounts on it.

use serde_json::{Value, json};
use wane_testkit::{Interactive, Outcome, PersonSession, Postgres, WaneServer, WaneServerBuilder, wait_until};

use crate::people::{Deployment, SOON, text};

const SETUP: &str = "CREATE TABLE orders (id int, item text); INSERT INTO orders VALUES (1, 'teapot');
    CREATE ROLE app_read NOLOGIN; GRANT SELECT ON orders TO app_read;
    CREATE ROLE wane LOGIN CREATEROLE; CREATE ROLE wane_left_behind NOLOGIN;
    GRANT pg_signal_backend, wane_left_behind TO wane; GRANT app_read TO wane WITH ADMIN OPTION;
    REVOKE CREATE, TEMPORARY ON DATABASE shop FROM PUBLIC; REVOKE CREATE, TEMPORARY ON DATABASE postgres FROM PUBLIC;
    REVOKE CREATE, TEMPORARY ON DATABASE template1 FROM PUBLIC;
    GRANT CONNECT ON DATABASE shop TO wane; REVOKE CREATE ON SCHEMA public FROM PUBLIC;";

/// A deployment with the database `shop` and its role `readonly`.
pub(crate) struct Shop {
    // First, so that the server still reaches it when it ends what it must.
    pub(crate) wane: Deployment,
    pub(crate) postgres: Postgres,
}

impl Shop {
    /// Whose gate is `open`, `one`, …
    pub(crate) fn with_gate(gate: &str) -> Self {
        Self::with(WaneServer::builder(), gate)
    }

    pub(crate) fn with(builder: WaneServerBuilder, gate: &str) -> Self {
        Self::of(Deployment::with(builder), database(), gate)
    }

    /// With a deployment made where it was prepared.
    pub(crate) fn on(server: WaneServer, gate: &str) -> Self {
        Self::of(Deployment::on(server), database(), gate)
    }

    fn of(wane: Deployment, postgres: Postgres, gate: &str) -> Self {
        let here = Self { wane, postgres };
        here.register("shop", gate);
        here.wane.ada.json(&["role", "add", "postgres/readonly", "--set", r#"member_of=["app_read"]"#]).unwrap();
        here
    }

    /// Registers the database once more under another name.
    pub(crate) fn register(&self, name: &str, gate: &str) {
        register(&self.wane, &self.postgres, name, gate);
    }

    /// A database account under a grant.
    pub(crate) fn account(&self, person: &PersonSession, grant: &str) -> Account {
        Account::of(&person.json(&["credential", grant]).unwrap())
    }

    pub(crate) fn run(&self, account: &Account, sql: &str) -> Outcome {
        self.postgres.psql_as(&account.user, &account.password, "shop", sql).unwrap()
    }

    /// An open session that has shown it works.
    pub(crate) fn open(&self, account: &Account) -> Interactive {
        let mut open = self.postgres.client(&account.user, &account.password, "shop").open().unwrap();
        open.send_line("SELECT item FROM orders;").unwrap();
        open.wait_for("teapot", SOON).unwrap();
        open
    }

    /// The accounts of grants that exist at the server.
    pub(crate) fn accounts(&self) -> Vec<String> {
        let sql =
            r"SELECT rolname FROM pg_roles WHERE rolname LIKE 'wane\_%' AND rolname <> 'wane_left_behind' ORDER BY 1";
        self.postgres.psql("shop", sql).unwrap().lines().map(str::to_owned).collect()
    }

    /// What the server says of an account's last moment.
    pub(crate) fn valid_until(&self, user: &str) -> String {
        self.postgres.psql("shop", &format!("SELECT rolvaliduntil FROM pg_roles WHERE rolname = '{user}'")).unwrap()
    }

    /// The account is gone, its password opens nothing, and its open session was cut.
    pub(crate) fn assert_over(&self, account: &Account, open: Option<Interactive>) {
        assert_eq!(self.accounts(), Vec::<String>::new());
        assert!(!self.run(account, "SELECT 1").success());
        if let Some(mut open) = open {
            let _ = open.send_line("SELECT 1;");
            let outcome = open.wait_exit(SOON).unwrap();
            assert!(!outcome.success(), "the session was not cut: {outcome:?}");
            assert!(outcome.stderr.contains("terminat") || outcome.stderr.contains("closed"), "{outcome:?}");
        }
    }

    pub(crate) fn wait_no_accounts(&self) {
        wait_until("all accounts to be gone", SOON, || self.accounts().is_empty())
            .unwrap_or_else(|e| panic!("{e}: {:?}\n{}", self.accounts(), self.wane.server.log()));
    }
}

/// Registers the database `shop` of a server under a name.
pub(crate) fn register(wane: &Deployment, postgres: &Postgres, name: &str, gate: &str) {
    let connector = wane.server.person("connector").unwrap();
    // Registered again, it is known by the same.
    if !connector.password_file().exists() {
        connector.choose_password().unwrap();
    }
    let password = std::fs::read_to_string(connector.password_file()).unwrap();
    postgres.psql("shop", &format!("ALTER ROLE wane PASSWORD '{password}'")).unwrap();
    let settings = json!({
        "address": format!("localhost:{}", postgres.port()),
        "user": "wane",
        "databases": ["shop"],
        "tls": { "ca_pem": postgres.ca_pem().unwrap() },
    })
    .to_string();
    let label = format!("gate={gate}");
    let file = connector.password_file().display().to_string();
    let words = ["resource", "add", name, "--kind", "postgres", "--label", &label];
    let words = [&words[..], &["--settings", &settings, "--credential-file", &file]].concat();
    wane.ada.json(&words).unwrap();
}

pub(crate) fn database() -> Postgres {
    furnished(Postgres::launch().unwrap())
}

/// With the database `shop` in it.
pub(crate) fn furnished(postgres: Postgres) -> Postgres {
    postgres.create_database("shop").unwrap();
    postgres.psql("shop", SETUP).unwrap();
    postgres
}

/// A name and its password.
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Account {
    pub(crate) fn of(made: &Value) -> Self {
        Self { user: text(&made["public"]["user"]), password: text(&made["secret"]) }
    }
}
