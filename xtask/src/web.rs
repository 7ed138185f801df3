//! The web UI: its types made from the OpenAPI document, checked, built, and weighed. Built again only if something it
//! is made of has changed, because whatever embeds it is then built again as well.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{command, deps};

const FOLDER: &str = "web";
pub(crate) const BUILT: &str = "web/dist";
/// Says of what the built one was made.
const MARKER: &str = "target/web-made-of";
/// What a browser loads before anything is shown, compressed, at most.
const MOST_BYTES: u64 = 100 * 1024;

/// Builds it, if it is not as it would be.
pub(crate) fn build() -> Result<()> {
    let made_of = sources()?;
    let is_there = Path::new(BUILT).join("index.html").is_file();
    if is_there && fs::read_to_string(MARKER).is_ok_and(|kept| kept == made_of) {
        return weigh();
    }
    deps::node()?;
    let npm = |words: &[&str]| command::run("npm", &[&["--prefix", FOLDER, "--loglevel=error"], words].concat());
    npm(&["ci"])?;
    for script in ["types", "check", "build"] {
        npm(&["run", script])?;
    }
    // Cargo may build elsewhere.
    fs::create_dir_all("target")?;
    fs::write(MARKER, made_of).with_context(|| format!("cannot write `{MARKER}`"))?;
    weigh()
}

/// Everything it is made of, by what is in it.
fn sources() -> Result<String> {
    let listed = ["ls-files", "--cached", "--others", "--exclude-standard", "--", FOLDER, "docs/openapi.json"];
    let mut paths: Vec<String> = command::output("git", &listed)?.lines().map(str::to_owned).collect();
    // What was taken away is listed until that is committed.
    paths.retain(|path| !path.starts_with(BUILT) && command::root().join(path).is_file());
    let words: Vec<&str> = ["hash-object", "--"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let hashes = command::output("git", &words)?;
    Ok(paths.iter().zip(hashes.lines()).map(|(path, hash)| format!("{hash} {path}\n")).collect())
}

/// Holds what the first page loads against the budget.
fn weigh() -> Result<()> {
    let mut total = 0;
    for file in loaded_first()? {
        let compressed = PathBuf::from(format!("{}.br", file.display()));
        total += fs::metadata(&compressed).with_context(|| format!("`{}` is not there", compressed.display()))?.len();
    }
    println!("the web UI loads {:.1} KiB first, of {} KiB", to_kib(total), MOST_BYTES / 1024);
    ensure!(total <= MOST_BYTES, "the web UI loads {total} bytes first; at most {MOST_BYTES} may be");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "told with one place")]
fn to_kib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

/// The page, and what it names.
pub(crate) fn loaded_first() -> Result<Vec<PathBuf>> {
    let page = Path::new(BUILT).join("index.html");
    let text = fs::read_to_string(&page).with_context(|| format!("`{}` is not there", page.display()))?;
    let names = named(&text);
    for ending in [".js", ".css"] {
        ensure!(names.iter().any(|name| name.ends_with(ending)), "`{}` names no `{ending}`", page.display());
    }
    Ok(names.into_iter().map(|name| Path::new(BUILT).join(name)).chain([page]).collect())
}

/// The files of ours that a page names.
fn named(page: &str) -> Vec<&str> {
    page.split('"').filter_map(|part| part.strip_prefix("/ui/")).filter(|name| !name.is_empty()).collect()
}

/// Takes pictures of the main pages, on a deployment that is made for it.
pub(crate) fn pictures() -> Result<()> {
    deps::ensure()?;
    deps::pngquant()?;
    crate::node::install()?;
    build()?;
    let folder = command::root().join("docs/images");
    fs::create_dir_all(&folder).context("cannot make `docs/images`")?;
    let folder = folder.to_string_lossy();
    let cargo = command::cargo();
    command::run(&cargo, &["build", "--workspace", "--bins"])?;
    let words = ["nextest", "run", "--workspace", "-E", "package(wane-e2e) and test(/^web::/)"];
    command::run_with(&cargo, &words, &[("WANE_PICTURES", &folder)])?;
    for picture in fs::read_dir("docs/images").context("there is no `docs/images`")? {
        let path = picture?.path();
        if path.extension().is_some_and(|ending| ending == "png") {
            let path = path.to_string_lossy();
            command::run("pngquant", &["--force", "--strip", "--ext", ".png", "--speed", "1", &path])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::named;
    use crate::command;

    /// What a page of Markdown leads to: `](here)`.
    fn leads(page: &str) -> impl Iterator<Item = &str> {
        page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|to| !to.contains("://"))
    }

    #[test]
    fn the_guide_leads_where_there_is_something_and_leaves_no_chapter_out() {
        let guide = command::root().join("docs/guide");
        let contents = fs::read_to_string(guide.join("SUMMARY.md")).unwrap();
        let mut chapters = 0;
        for entry in fs::read_dir(&guide).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            for to in leads(&text) {
                assert!(guide.join(to.split('#').next().unwrap()).is_file(), "{name}: {to}");
            }
            if name != "SUMMARY.md" {
                chapters += 1;
                assert!(leads(&contents).any(|to| to == name), "`{name}` is in no table of contents");
            }
        }
        assert!(chapters >= 7, "{chapters}");
    }

    #[test]
    fn what_a_page_names_is_weighed() {
        let page =
            "<link href=\"/ui/icon.svg\"><script src=\"/ui/assets/a-1.js\"></script><a href=\"/ui/\"><a href=\"/x\">";
        assert_eq!(named(page), ["icon.svg", "assets/a-1.js"]);
    }
}
