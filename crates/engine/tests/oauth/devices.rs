use super::*;

fn for_devices(settings: &mut ApplicationSettings) {
    settings.device_flow = true;
}

#[tokio::test]
async fn a_device_gets_what_its_person_allows() {
    let fixture = Fixture::new().await;
    let application = fixture.application(for_devices).await;
    let device = fixture.engine.begin_device(&application, Some("webhook_read")).await.unwrap();
    let poll =
        async || fixture.exchange(&application, Exchange::Device(device.device_code.clone())).await;
    assert!(matches!(poll().await, Err(ExchangeError::Pending)));
    assert!(matches!(poll().await, Err(ExchangeError::TooSoon)));
    let typed = device.user_code.to_lowercase().replace('-', " ");
    let found = fixture.engine.waiting_device(&typed).await.unwrap();
    let (asking, scopes, shown) = found.unwrap();
    assert_eq!((asking.id, scopes.to_string()), (application.id, "webhook_read".to_owned()));
    let person = person(Scopes::all());
    assert!(fixture.engine.decide_device(&shown, Some(person.id)).await.unwrap());
    assert!(!fixture.engine.decide_device(&shown, None).await.unwrap());
    let tokens = poll().await.unwrap();
    assert_eq!((tokens.grant.via, tokens.grant.approved_by), (GrantVia::Device, person.id));
    assert!(fixture.opens(&tokens.access).await.is_some());
    assert!(useless(poll().await).contains("used before"));
    assert!(fixture.opens(&tokens.access).await.is_none());
}

#[tokio::test]
async fn a_no_and_no_answer_are_told_apart() {
    let fixture = Fixture::new().await;
    let application = fixture.application(for_devices).await;
    let denied = fixture.engine.begin_device(&application, None).await.unwrap();
    let ignored = fixture.engine.begin_device(&application, None).await.unwrap();
    assert!(fixture.engine.decide_device(&denied.user_code, None).await.unwrap());
    let poll = async |code: &str| {
        fixture.exchange(&application, Exchange::Device(code.to_owned())).await.unwrap_err()
    };
    assert!(matches!(poll(&denied.device_code).await, ExchangeError::Denied));
    fixture.clock.advance(Duration::from_secs(600));
    assert!(matches!(poll(&ignored.device_code).await, ExchangeError::Expired));
    assert_eq!(fixture.engine.waiting_device(&ignored.user_code).await.unwrap(), None);
    assert!(matches!(poll("hyd_x").await, ExchangeError::Useless(_)));
}

#[tokio::test]
async fn only_applications_for_devices_ask_so() {
    let fixture = Fixture::new().await;
    let plain = fixture.application(|_| {}).await;
    let begun = fixture.engine.begin_device(&plain, None).await;
    assert!(matches!(begun, Err(ExchangeError::NotForDevices)));
    let application = fixture.application(for_devices).await;
    let begun = fixture.engine.begin_device(&application, Some("admin")).await;
    assert!(matches!(begun, Err(ExchangeError::Scopes)));
    let device = fixture.engine.begin_device(&application, None).await.unwrap();
    let disable = ApplicationChange { disabled: Some(true), ..ApplicationChange::default() };
    fixture.engine.update_application(WS, application.id, disable).await.unwrap();
    assert_eq!(fixture.engine.waiting_device(&device.user_code).await.unwrap(), None);
}
