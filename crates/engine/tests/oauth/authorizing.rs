use super::*;

#[tokio::test]
async fn a_request_that_may_be_trusted_is_asked() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let asked = fixture.ask(request(&application)).await.unwrap();
    assert_eq!((&asked.application, asked.scopes), (&application, application.scopes));
    let url = fixture.engine.approve(&asked, &person(Scopes::all())).await.unwrap();
    assert!(url.starts_with("https://a.test/cb?code="), "{url}");
    assert_eq!(parameter(&url, "code").unwrap().len(), 43);
    assert_eq!(parameter(&url, "state").as_deref(), Some("s 1&"));
    let denied = asked.denied();
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&denied, "state").as_deref(), Some("s 1&"));
    let narrow = Request {
        scope: Some("webhook_read order_read admin".to_owned()),
        redirect_uri: Some("https://a.test/cb?x=1".to_owned()),
        ..request(&application)
    };
    let asked = fixture.ask(narrow).await.unwrap();
    assert_eq!(asked.scopes.to_string(), "webhook_read");
    assert!(asked.denied().starts_with("https://a.test/cb?x=1&error="));
}

#[tokio::test]
async fn nobody_is_sent_to_a_stranger() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let some = |text: &str| Some(text.to_owned());
    let with_uri = |uri| Request { redirect_uri: uri, ..request(&application) };
    for wrong in [
        Request { client_id: None, ..request(&application) },
        Request { client_id: some("unknown"), ..request(&application) },
        with_uri(None),
        with_uri(some("https://a.test/cb/")),
        with_uri(some("https://a.test/cb?")),
        with_uri(some("https://A.test/cb")),
        with_uri(some("https://a.test:443/cb")),
        with_uri(some("https://b.test/cb")),
    ] {
        let stop = fixture.ask(wrong.clone()).await.unwrap_err();
        assert!(matches!(stop, Stop::Here(_)), "{wrong:?}: {stop:?}");
    }
    let disable = ApplicationChange { disabled: Some(true), ..ApplicationChange::default() };
    fixture.engine.update_application(WS, application.id, disable).await.unwrap();
    assert_eq!(fixture.ask(request(&application)).await.unwrap_err(), Stop::Disabled);
}

#[tokio::test]
async fn what_an_application_did_wrong_it_is_told() {
    let fixture = Fixture::new().await;
    let lax = fixture.application(|_| {}).await;
    let strict = fixture.application(|settings| settings.require_pkce = true).await;
    let some = |text: &str| Some(text.to_owned());
    for (wrong, expected) in [
        (Request { state: None, ..request(&lax) }, "invalid_request"),
        (Request { state: some(&"x".repeat(2_001)), ..request(&lax) }, "invalid_request"),
        (Request { response_type: None, ..request(&lax) }, "unsupported_response_type"),
        (Request { response_type: some("token"), ..request(&lax) }, "unsupported_response_type"),
        (Request { scope: some("admin"), ..request(&lax) }, "invalid_scope"),
        (Request { code_challenge: some(CHALLENGE), ..request(&lax) }, "invalid_request"),
        (
            Request {
                code_challenge: some(CHALLENGE),
                code_challenge_method: some("plain"),
                ..request(&lax)
            },
            "invalid_request",
        ),
        (Request { code_challenge_method: some("S256"), ..request(&lax) }, "invalid_request"),
        (request(&strict), "invalid_request"),
    ] {
        let Err(Stop::Back(url)) = fixture.ask(wrong.clone()).await else { panic!("{wrong:?}") };
        assert!(url.starts_with("https://a.test/cb?error="), "{url}");
        assert_eq!(parameter(&url, "error").as_deref(), Some(expected), "{wrong:?}");
        assert!(parameter(&url, "error_description").is_some());
        let state = wrong.state.filter(|state| state.len() < 2_000);
        assert_eq!(parameter(&url, "state"), state);
    }
}

#[tokio::test]
async fn only_who_has_it_can_give_it() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let wanted = application.scopes;
    let prove = |credential| prove(credential, &application, wanted);
    assert!(prove(Some(person(Scopes::all()))).is_ok());
    assert!(prove(Some(person("admin webhook_read webhook_write".parse().unwrap()))).is_ok());
    assert_eq!(prove(None), Err(Unproven::Unknown));
    let foreign = Credential { workspace: WorkspaceId(2), ..person(Scopes::all()) };
    assert_eq!(prove(Some(foreign)), Err(Unproven::Unknown));
    let own = Some(application.id);
    let token = Credential { application: own, ..person(Scopes::all()) };
    assert_eq!(prove(Some(token)), Err(Unproven::Application));
    for (has, lacks) in [
        ("admin", "webhook_read webhook_write"),
        ("webhook_read webhook_write", "admin"),
        ("admin webhook_read", "webhook_write"),
    ] {
        let refused = prove(Some(person(has.parse().unwrap())));
        assert_eq!(refused, Err(Unproven::Lacks(lacks.parse().unwrap())), "{has}");
    }
}
