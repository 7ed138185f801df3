//! The pages of whoever looks after a deployment: people, packages, directories, machines, notices, the log, what stands
//! at the targets. Each on a phone and a wide screen, in light and in dark, empty and with something in it.

use std::time::Duration;

use serde_json::{Value, json};
use wane_testkit::{PersonSession, Postgres, WaneServer, free_port, wait_until};

use super::{Browsing, PHONE, WIDE};
use crate::database::{database, register};
use crate::notices::{SECRET, webhook};
use crate::people::{Deployment, POLICY, SOON, granted, items, text};

/// Engineers look people and packages up, so that they can ask for what belongs together.
const LOOKS: &str = r#"
@id("engineers-look") permit (principal in Group::"engineers", action == Action::"read_directory", resource);
"#;
const SOON_ON_A_PAGE: Duration = Duration::from_secs(60);

struct House {
    wane: Deployment,
    kim: PersonSession,
    page: Browsing,
    // Last, so that the server still reaches it when it ends what it must.
    _postgres: Postgres,
}

/// A database with standing rights, a directory that pushes, one that is dead, a channel of notices that leads nowhere.
fn house() -> House {
    let nobody = free_port().unwrap();
    let server = WaneServer::builder().set("engine.inventory_every", "2s").prepare().unwrap();
    let folder = server.folder().to_owned();
    let password = folder.join("dir.password");
    std::fs::write(&password, "x\n").unwrap();
    let hook = webhook("ops", &format!("http://127.0.0.1:{nobody}/wane"), &[SECRET], &folder);
    let ldap = format!(
        "[[directory.ldap]]\nname = \"corp\"\nurls = [\"ldap://127.0.0.1:{nobody}\"]\nbind_dn = \"cn=reader,dc=example,dc=org\"\n\
         password = {{ file = \"{}\" }}\npeople_base = \"ou=people,dc=example,dc=org\"\n",
        password.display()
    );
    server.configure(&format!("{hook}{ldap}")).unwrap();
    let wane = Deployment::on(server);
    wane.load(&format!("{POLICY}{LOOKS}"));
    let postgres = database();
    register(&wane, &postgres, "shop", "open");
    wane.ada.json(&["role", "add", "postgres/readonly", "--set", r#"member_of=["app_read"]"#]).unwrap();
    wane.deploy_role();
    wane.paper_host("web", "gate=open");
    let page = Browsing::at(&wane.server.url());
    let kim = wane.server.newcomer(&wane.ada, "kim.lee", &["engineers"]).unwrap();
    wane.ada
        .json(&["person", "change", "kim.lee", "--display", page.called("Kim Lee"), "--attribute", "site=lab"])
        .unwrap();
    House { wane, kim, page, _postgres: postgres }
}

#[test]
fn whoever_looks_after_it_finds_everything_on_a_page() {
    let mut house = house();
    what_stands(&mut house);
    packages(&mut house);
    somebody_leaves(&mut house);
    directories_and_machines(&mut house);
    notices(&mut house);
    the_log(&mut house);
    standing_in(&mut house);
    for (page, words) in [
        ("people", "kim.lee"),
        ("server", "Nothing goes through this server."),
        ("packages/none-such", "There is no package none-such."),
    ] {
        house.page.open(page);
        house.page.sees(words);
        house.page.holds(page);
    }
    settings(&mut house);
    // What policy does not let somebody see is no entry of their menu, and the page says why when it is opened.
    house.page.is(&house.wane.maya);
    house.page.open("log");
    house.page.sees("Everything that happened");
    assert_eq!(house.page.count("nav a:has-text('Figures')"), 0);
    for (entry, shown) in [("Packages", 1), ("Log", 1), ("Settings", 0)] {
        assert_eq!(house.page.count(&format!("nav a:has-text('{entry}')")), shown, "{entry}");
    }
    // Nothing on a page is asked for that its reader may not see: a refusal would be an error said.
    house.page.is_quiet("the log of somebody who reads no log");
    house.page.open("machines");
    house.page.sees("repository_id");
    assert_eq!(house.page.count("h2:has-text('Jobs that go on')"), 0);
    house.page.holds("machines, without the jobs");
    house.page.open("people/kim.lee");
    house.page.sees("How they come in");
    assert_eq!(house.page.count("text=What came of their leaving"), 0);
    house.page.is_quiet("somebody who left, without the report");
}

/// What the server was started with, where each of it was said, and no secret.
fn settings(house: &mut House) {
    let page = &mut house.page;
    page.open("settings");
    let shown = page.sees("server.listen");
    assert!(shown.contains("Address and port to listen on."), "{shown}");
    assert!(shown.contains("(not set)") && shown.contains("default"), "{shown}");
    assert!(!shown.contains(SECRET), "a secret is only referred to: {shown}");
    page.holds("settings");
    page.chromium.fill("role=searchbox", "inventory_every");
    page.sees("engine.inventory_every");
    assert_eq!(page.count("tbody tr"), 1);
    assert_eq!(page.count("tbody tr:has-text('2s'):not(:has-text('default'))"), 1, "what was set says where");
}

/// The summary that is kept, the resource's own word, its roles, and the plots.
fn what_stands(house: &mut House) {
    let ada = &house.wane.ada;
    let last = || {
        let lines = ada.json(&["inventories"]).unwrap();
        items(&lines)
            .iter()
            .find(|line| line["resource"] == "shop")
            .map(|line| line["last"].clone())
            .unwrap_or_default()
    };
    wait_until("the database to be looked at", SOON, || last()["standing"].as_u64().is_some_and(|n| n > 0)).unwrap();
    let standing = last()["standing"].as_u64().unwrap();
    let page = &mut house.page;
    page.is(&house.wane.ada);
    page.open("resources");
    page.sees(&format!("0 made, {standing} not made by Wane"));
    page.holds("resources");
    page.presses("link", "shop");
    page.sees("What is handed out");
    page.holds("resource");
    page.presses("button", "Look now");
    page.sees("Rights that Wane did not give");
    page.presses("button", "Check the roles");
    page.sees("can be given");
    page.holds("resource, looked at");
    page.picture("resource", WIDE, "light");
    page.open("resources/nothing-of-the-kind");
    page.sees("nothing-of-the-kind");
    page.sees("Try again");
    // That the server said no is an error to the browser, and told as one, each time the page asks again.
    page.open("");
    page.chromium.act(&json!({ "do": "problems" }));

    let grant = granted(&house.wane.maya, "readonly@shop", "30m");
    house.wane.maya.json(&["credential", &grant]).unwrap();
    wait_until("the account to be seen", SOON, || last()["made"] == 1).unwrap();
    let told = house.wane.ada.json(&["figures", "--days", "7"]).unwrap();
    let today = &told["days"][6];
    assert_eq!(today["stands"]["standing"], json!(standing), "{today}");
    assert!(today["just_in_time_percent"].as_u64().is_some_and(|share| share < 100), "{today}");
    assert_eq!(told["days"][5].get("stands"), None, "{told}");
    for _ in 0..3 {
        let again = granted(&house.kim, "deploy@web", "10m");
        house.kim.json(&["done", &again]).unwrap();
        house.wane.wait_closed(&again);
    }
    let page = &mut house.page;
    page.open("figures");
    page.sees("What stands at the targets");
    for plot in
        ["What stands at the targets: not given by Wane", "Share that is just in time:", "Granted again and again:"]
    {
        assert_eq!(page.count(&format!("svg[aria-label^='{plot}']")), 1, "{plot}");
    }
    let (plots, tables) = (page.count("main svg.plot"), page.count("main details"));
    assert!(plots >= 5 && tables >= 5, "each plot has its table: {plots}, {tables}");
    page.holds("figures, with something in them");
    page.picture("figures", WIDE, "light");
}

/// Empty, one that is entered, asked for by whom its rule does not mean, taken out.
fn packages(house: &mut House) {
    let ada = &house.wane.ada;
    let page = &mut house.page;
    page.open("packages");
    page.sees("There are no packages.");
    page.holds("packages, empty");
    ada.json(&["group", "add", "newcomers"]).unwrap();
    let words = ["package", "add", "base", "deploy@web", "readonly@shop", "--group", "newcomers", "--for", "30m"];
    ada.json(&[&words[..], &["--description", page.called("what everybody here needs each day")]].concat()).unwrap();
    page.sees("readonly on shop");
    page.holds("packages");
    page.picture("packages", WIDE, "light");

    // Its rule does not mean kim, who asks for what is in it, and policy answers each part.
    page.is(&house.kim);
    page.view(PHONE, "light");
    page.open("packages/base");
    page.sees("deploy on web");
    page.chromium.act(&json!({ "do": "click", "selector": "button:has-text('Ask for it…: base')" }));
    page.sees("One request for all of it");
    page.holds("packages, asking");
    page.presses("button", "Send it");
    page.sees("You have it.");
    page.holds("packages, asked for");
    let mine = house.kim.json(&["requests", "--mine"]).unwrap();
    assert_eq!(items(&mine)[0]["items"].as_array().unwrap().len(), 2, "{mine}");
    assert_eq!(page.count("button:has-text('Take it out…')"), 0);

    page.is(&house.wane.ada);
    page.open("packages");
    page.chromium.act(&json!({ "do": "click", "selector": "button:has-text('Take it out…: base')" }));
    page.sees("What was granted out of it ends");
    page.holds("packages, taking one out");
    page.presses("button", "Take it out");
    page.sees("base is taken out.");
    assert!(items(&house.wane.ada.json(&["package", "list"]).unwrap()).is_empty());
}

/// One person: what they hold, how they come in, and the report of their leaving.
fn somebody_leaves(house: &mut House) {
    let page = &mut house.page;
    page.open("people");
    page.chromium.fill("role=searchbox", "kim");
    page.presses("link", "kim.lee");
    page.sees("deploy on web");
    page.sees("How they come in");
    page.holds("person");
    page.picture("person", WIDE, "light");
    // Found by its address as well, though it looks like a file's.
    page.open("people/kim.lee");
    let shown = page.sees("deploy on web");
    assert!(shown.contains(page.called("Kim Lee")), "{shown}");
    page.presses("button", "Send away…");
    page.fills("Why?", "contract over");
    page.holds("person, sending away");
    page.presses("button", "Send away");
    page.sees("kim.lee has left.");
    page.sees("Everything they held is over, with evidence.");
    page.presses("button", "Ask every target");
    page.sees("Accounts of their name");
    page.sees("No target that answered knows the name.");
    page.holds("person, left");
    page.picture("leaving", WIDE, "light");
    let report = house.wane.ada.json(&["person", "show", "kim.lee"]).unwrap();
    assert!(report["left"].is_string(), "{report}");
}

fn directories_and_machines(house: &mut House) {
    let page = &mut house.page;
    page.open("directories");
    page.sees("it cannot be read");
    page.holds("directories");
    house.wane.ada.json(&["directory", "add", "okta"]).unwrap();
    page.chromium.act(&json!({ "do": "reload" }));
    let shown = page.sees("it has not called yet");
    assert!(shown.contains("/scim/"), "{shown}");
    page.holds("directories, two");
    page.picture("directories", WIDE, "light");

    page.open("machines");
    page.sees("There are no workloads.");
    page.holds("machines, empty");
    let ada = &house.wane.ada;
    ada.json(&["workload", "issuer", "add", "actions", "--sort", "github", "--url", "https://issuer.example"]).unwrap();
    let words = ["workload", "add", "deploy", "--sponsor", "ada", "--issuer", "actions", "--claim", "repository_id=74"];
    ada.json(&words).unwrap();
    page.chromium.act(&json!({ "do": "reload" }));
    page.sees("repository_id");
    page.holds("machines");
}

/// A channel that leads nowhere says so, and what waits can be tried at once.
fn notices(house: &mut House) {
    let page = &mut house.page;
    page.open("notices");
    page.sees("webhook.ops");
    page.chromium.act(&json!({ "do": "click", "selector": "button:has-text('Send a test: webhook.ops')" }));
    page.chromium.act(&json!({ "do": "wait", "text": "webhook.ops" }));
    wait_until("the page to say why", SOON_ON_A_PAGE, || page.count("[role=alert]") > 0).unwrap();
    page.chromium.act(&json!({ "do": "problems" }));
    page.presses("link", "waiting");
    page.sees("next");
    page.holds("notices");
    page.picture("notices", WIDE, "light");
    page.chromium.act(&json!({ "do": "click", "selector": "button:has-text('Try again') >> nth=0" }));
    page.sees("It is tried again now.");
    page.presses("link", "not needed any more");
    page.sees("No notice stands so.");
}

/// Found by who, where and what; told further; saved as it is.
fn the_log(house: &mut House) {
    let page = &mut house.page;
    page.open("log?event=grant.&person=kim.lee");
    page.sees("grant.closed");
    assert_eq!(page.count("td code:has-text('request.')"), 0, "only what was looked for");
    page.holds("log");
    page.picture("log", WIDE, "light");
    let saved = text(&page.chromium.act(&json!({ "do": "saved", "selector": "button:has-text('Save it')" })));
    let lines: Vec<Value> = saved.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() >= 4 && lines.iter().all(|line| text(&line["event"]).starts_with("grant.")), "{saved}");
    page.open("log");
    page.sees("Everything that happened");
    page.fills("Event begins with", "nothing.of.the.kind");
    page.presses("button", "Find");
    page.sees("The log has nothing of the kind.");
    let url = text(&page.chromium.act(&json!({ "do": "url" })));
    assert!(url.ends_with("log?event=nothing.of.the.kind"), "what is looked for is in the address: {url}");
    page.holds("log, nothing found");
    // The fields say what is looked for, however somebody comes to the list.
    page.presses("link", "Log");
    page.sees("grant.closed");
    assert_eq!(page.count("input[placeholder='grant.']:placeholder-shown"), 1);
    for n in 0..60 {
        house.wane.ada.json(&["group", "add", &format!("team-{n}")]).unwrap();
    }
    page.open("log");
    page.sees("group.");
    page.presses("button", "Show more");
    wait_until("more of it", SOON_ON_A_PAGE, || page.count("tbody tr") > 100).unwrap();
}

/// Whoever is away says so on a page, and takes it back there.
#[expect(clippy::disallowed_methods, reason = "a day that is to come, whatever day it is")]
fn standing_in(house: &mut House) {
    let (omar, ann) = (house.wane.approver("omar"), house.wane.approver("ann"));
    let page = &mut house.page;
    page.is(&omar);
    page.view(PHONE, "light");
    page.open("approve");
    page.presses("link", "Away for a while?");
    page.sees("Nobody stands in for you");
    page.holds("standing in, nobody");
    page.fills("Who", "ann");
    page.fills("Why", "on leave");
    let until = jiff::Zoned::now().checked_add(jiff::Span::new().days(10)).unwrap();
    page.chromium.fill("label:has-text('Until') input", &until.strftime("%Y-%m-%dT%H:%M").to_string());
    page.presses("button", "Have them stand in");
    page.sees("ann in the place of omar");
    page.holds("standing in");
    let given = ann.json(&["delegate", "list"]).unwrap();
    assert_eq!(items(&given)[0]["by"], "omar", "{given}");
    page.chromium
        .act(&json!({ "do": "click", "selector": "button:has-text('Take it back: ann in the place of omar')" }));
    page.sees("Taken back.");
    page.is(&house.wane.ada);
}
