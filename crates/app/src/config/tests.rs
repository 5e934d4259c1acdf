use std::time::Duration;

use hookyard_core::model::WorkspaceQuotas;

use super::*;

fn words(args: &[&str]) -> Vec<String> {
    let args = with_command(args.iter().map(OsString::from).collect());
    args.into_iter().map(|arg| arg.into_string().unwrap()).collect()
}

#[test]
fn without_a_command_serve_is_meant() {
    assert_eq!(words(&["hookyard"]), ["hookyard", "serve"]);
    assert_eq!(words(&["hookyard", "--data", "x"]), ["hookyard", "serve", "--data", "x"]);
    assert_eq!(words(&["hookyard", "init"]), ["hookyard", "init"]);
    assert_eq!(words(&["hookyard", "--help"]), ["hookyard", "--help"]);
}

#[test]
fn another_database_is_refused_and_not_ignored() {
    let args = ["hookyard", "init", "--database-url", "mysql://db/x"].map(OsString::from);
    let message = read(args).unwrap_err().to_string();
    assert!(message.contains("postgres://"), "{message}");
}

#[test]
fn a_shared_database_needs_a_shared_key() {
    let directory = tempfile::tempdir().unwrap();
    let (url, key) = (directory.path().join("url"), directory.path().join("key"));
    std::fs::write(&url, "postgres://user:word@db/x\n").unwrap();
    let init = |more: &[&str]| {
        let args = ["hookyard", "init", "--database-url-file", url.to_str().unwrap()];
        read(args.iter().chain(more).map(OsString::from))
    };
    let message = init(&[]).unwrap_err().to_string();
    assert!(message.contains("HOOKYARD_ENCRYPTION_KEY"), "{message}");
    let given = init(&["--encryption-key-file", key.to_str().unwrap()]).unwrap();
    let Command::Init(given) = given else { panic!() };
    assert_eq!(given.common.database.unwrap().expose(), "postgres://user:word@db/x");
}

#[test]
fn a_move_has_the_key_of_its_directory_and_needs_a_database() {
    let migrate = |more: &[&str]| {
        let args = ["hookyard", "migrate", "--data", "place"].iter().chain(more);
        read(args.map(OsString::from))
    };
    let message = migrate(&[]).unwrap_err().to_string();
    assert!(message.contains("HOOKYARD_DATABASE_URL"), "{message}");
    let given = migrate(&["--database-url", "postgres://db/x"]).unwrap();
    let Command::Migrate(given) = given else { panic!() };
    assert_eq!(given.url.expose(), "postgres://db/x");
    assert!(matches!(given.common.key, KeySource::Own(path) if path.ends_with("place/key")));
}

#[test]
fn the_api_user_comes_with_a_password() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let given = |name: &str| {
        let file = file.to_str().unwrap();
        let args = ["--api-user-name", name, "--api-user-password-file", file];
        let args = args.into_iter().chain(["--api-user-host", "hooks.example.com"]);
        let args = ["hookyard", "serve"].into_iter().chain(args).map(OsString::from);
        read(args)
    };
    assert!(given("user").unwrap_err().to_string().contains("cannot read"));
    std::fs::write(&file, "\n").unwrap();
    assert!(given("user").unwrap_err().to_string().contains("is empty"));
    std::fs::write(&file, " p4ss\r\n").unwrap();
    assert!(given("a:b").unwrap_err().to_string().contains("colon"));
    let Command::Serve(serve) = given("user").unwrap() else { panic!() };
    let (workspace, user) = serve.deliver.api_user.unwrap();
    assert_eq!((workspace.0, user.name.as_str(), user.password.expose()), (1, "user", " p4ss"));
    let alone = ["hookyard", "serve", "--api-user-name", "x"].map(OsString::from);
    assert!(read(alone).is_err());
    let anywhere = ["--api-user-name", "u", "--api-user-password-file", file.to_str().unwrap()];
    let anywhere = ["hookyard", "serve"].into_iter().chain(anywhere).map(OsString::from);
    assert!(read(anywhere).unwrap_err().to_string().contains("needs --api-user-host"));
}

#[test]
fn heads_have_bounds_of_their_own() {
    let given =
        |flags: &[&str]| read(["hookyard", "serve"].iter().chain(flags).map(OsString::from));
    let message = given(&["--limit-uri-bytes", "65KiB"]).unwrap_err().to_string();
    assert!(message.contains("--limit-uri-bytes 66560 is above 65536"), "{message}");
    assert!(given(&["--limit-header-bytes", "2MiB"]).is_err());
    let serve = given(&["--limit-address-day", "5", "--limit-stall-seconds", "2"]).unwrap();
    let Command::Serve(serve) = serve else { panic!() };
    assert_eq!(serve.limits.address.day, Some(5));
    assert_eq!(serve.limits.credential, hookyard_engine::limits::Rates::default());
    assert_eq!(serve.settings.bounds.stall, Duration::from_secs(2));
}

#[test]
fn quotas_have_defaults_by_name() {
    let given =
        |flags: &[&str]| read(["hookyard", "serve"].iter().chain(flags).map(OsString::from));
    let flags = ["--default-quota", "endpoints=5,events-hour=7", "--default-quota"];
    let Command::Serve(serve) = given(&[&flags[..], &["journal-bytes=2KiB"]].concat()).unwrap()
    else {
        panic!()
    };
    let expected = WorkspaceQuotas {
        endpoints: Some(5),
        events_hour: Some(7),
        journal_bytes: Some(2048),
        ..WorkspaceQuotas::default()
    };
    assert_eq!(serve.default_quotas, expected);
    for (wrong, said) in [
        ("endpoint=5", "`endpoint` is no quota: use one of endpoints, event-types"),
        ("endpoints", "`` is no amount"),
        ("endpoints=-1", "`-1` is no amount"),
        ("endpoints=1,endpoints=2", "two amounts for endpoints"),
    ] {
        let message = given(&["--default-quota", wrong]).unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn an_event_must_fit_a_batch() {
    let args = ["hookyard", "serve", "--batch-bytes-max", "5"].map(OsString::from);
    assert!(read(args).unwrap_err().to_string().contains("an event must fit a batch"));
}
