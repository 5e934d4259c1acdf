use super::*;

#[tokio::test]
async fn a_code_becomes_tokens_that_open_what_was_granted() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let narrow = |request: &mut Request| request.scope = Some("webhook_read".to_owned());
    let code = fixture.code(&application, narrow).await;
    let tokens = fixture.redeem(&application, &code).await.unwrap();
    assert_eq!((tokens.expires_in, tokens.grant.via), (3_600, GrantVia::Code));
    assert!(tokens.access.starts_with("mm_") && tokens.refresh.starts_with("hyr_"));
    let credential = fixture.opens(&tokens.access).await.unwrap();
    assert_eq!((credential.workspace, credential.scopes.to_string()), (WS, "webhook_read".into()));
    assert_eq!(credential.application, Some(application.id));
    assert!(fixture.opens(&tokens.refresh).await.is_none(), "a refresh token opens nothing");
    fixture.clock.advance(Duration::from_secs(3_600));
    assert!(fixture.opens(&tokens.access).await.is_none(), "it has expired");
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let first = fixture.code(&application, |_| {}).await;
    let second = fixture.code(&application, |_| {}).await;
    fixture.clock.advance(Duration::from_secs(599));
    fixture.redeem(&application, &first).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(useless(fixture.redeem(&application, &second).await), "it has expired");
}

#[tokio::test]
async fn a_code_is_good_once() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let code = fixture.code(&application, |_| {}).await;
    let tokens = fixture.redeem(&application, &code).await.unwrap();
    let next = Exchange::Refresh(tokens.refresh.clone());
    let next = fixture.exchange(&application, next).await.unwrap();
    assert!(fixture.opens(&tokens.access).await.is_some());
    // Even after it would have expired.
    fixture.clock.advance(Duration::from_secs(3_000));
    let again = useless(fixture.redeem(&application, &code).await);
    assert!(again.contains("revoked"), "{again}");
    for access in [tokens.access, next.access] {
        assert!(fixture.opens(&access).await.is_none());
    }
    let refresh = fixture.exchange(&application, Exchange::Refresh(next.refresh)).await;
    assert!(useless(refresh).contains("not known"));
}

#[tokio::test]
async fn a_code_is_bound_to_its_application_its_uri_and_its_key() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let other = fixture.application(|_| {}).await;
    let with_key = |request: &mut Request| {
        request.code_challenge = Some(CHALLENGE.to_owned());
        request.code_challenge_method = Some("S256".to_owned());
    };
    let bound = fixture.code(&application, with_key).await;
    let free = fixture.code(&application, |_| {}).await;
    let elsewhere = Exchange::Code {
        code: free.clone(),
        redirect_uri: "https://a.test/cb?x=1".to_owned(),
        verifier: None,
    };
    for (who, wrong) in [
        (&application, elsewhere),
        (&application, with_code(&bound, None)),
        (&application, with_code(&bound, Some(&VERIFIER.replace('d', "e")))),
        (&application, with_code(&free, Some(VERIFIER))),
        (&application, with_code("x", None)),
        (&other, with_code(&free, None)),
        (&other, with_code(&bound, Some(VERIFIER))),
    ] {
        useless(fixture.exchange(who, wrong).await);
    }
    // Trying in vain spoils nothing for whom they are meant.
    fixture.exchange(&application, with_code(&bound, Some(VERIFIER))).await.unwrap();
    fixture.redeem(&application, &free).await.unwrap();
}

#[tokio::test]
async fn refreshing_rotates_and_a_second_use_ends_the_family() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let code = fixture.code(&application, |_| {}).await;
    let first = fixture.redeem(&application, &code).await.unwrap();
    let refresh = async |token: &str| {
        fixture.exchange(&application, Exchange::Refresh(token.to_owned())).await
    };
    fixture.clock.advance(Duration::from_secs(60));
    let second = refresh(&first.refresh).await.unwrap();
    assert_eq!((second.grant.id, second.grant.scopes), (first.grant.id, first.grant.scopes));
    let third = refresh(&second.refresh).await.unwrap();
    assert!(useless(refresh(&first.refresh).await).contains("used before"));
    for access in [&first.access, &second.access, &third.access] {
        assert!(fixture.opens(access).await.is_none());
    }
    useless(refresh(&third.refresh).await);
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_time() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let code = fixture.code(&application, |_| {}).await;
    let first = fixture.redeem(&application, &code).await.unwrap();
    fixture.clock.advance(Duration::from_secs(24 * 3_600 - 1));
    let second = fixture.exchange(&application, Exchange::Refresh(first.refresh)).await.unwrap();
    fixture.clock.advance(Duration::from_secs(24 * 3_600));
    let late = fixture.exchange(&application, Exchange::Refresh(second.refresh)).await;
    assert_eq!(useless(late), "it has expired");
}

#[tokio::test]
async fn tokens_can_be_given_back() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let other = fixture.application(|_| {}).await;
    for of_access in [true, false] {
        let code = fixture.code(&application, |_| {}).await;
        let tokens = fixture.redeem(&application, &code).await.unwrap();
        let token = if of_access { &tokens.access } else { &tokens.refresh };
        fixture.engine.revoke_token(&other, token).await.unwrap();
        assert!(fixture.opens(&tokens.access).await.is_some(), "it is not that one's to end");
        fixture.engine.revoke_token(&application, token).await.unwrap();
        fixture.engine.revoke_token(&application, token).await.unwrap();
        assert!(fixture.opens(&tokens.access).await.is_none());
        useless(fixture.exchange(&application, Exchange::Refresh(tokens.refresh)).await);
    }
}

#[tokio::test]
async fn a_client_is_known_and_enabled() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    assert_eq!(fixture.engine.client(&application.client_id).await.unwrap(), application);
    let unknown = fixture.engine.client("x").await.unwrap_err();
    assert!(matches!(unknown, ExchangeError::UnknownClient));
    let disable = ApplicationChange { disabled: Some(true), ..ApplicationChange::default() };
    fixture.engine.update_application(WS, application.id, disable).await.unwrap();
    let disabled = fixture.engine.client(&application.client_id).await.unwrap_err();
    assert!(matches!(disabled, ExchangeError::Disabled));
}

#[tokio::test]
async fn a_disabled_application_is_told_so_at_once() {
    let fixture = Fixture::new().await;
    let application = fixture.application(|_| {}).await;
    let code = fixture.code(&application, |_| {}).await;
    let tokens = fixture.redeem(&application, &code).await.unwrap();
    assert!(fixture.opens(&tokens.access).await.is_some());
    for disabled in [true, false] {
        let change = ApplicationChange { disabled: Some(disabled), ..ApplicationChange::default() };
        fixture.engine.update_application(WS, application.id, change).await.unwrap();
        let admitted = fixture.engine.access().admit(Presented::Token(&tokens.access)).await;
        match admitted {
            Err(Refusal::Disabled) => assert!(disabled),
            other => assert!(!disabled && other.is_ok(), "{other:?}"),
        }
    }
    fixture.engine.delete_application(WS, application.id).await.unwrap();
    assert!(fixture.opens(&tokens.access).await.is_none());
}
