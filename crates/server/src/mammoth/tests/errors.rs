use super::{Api, PAIR, WEBHOOKS, assert_refused, json_of};

#[tokio::test]
async fn ids_that_are_none_are_not_found_and_low_ones_are_invalid() {
    let api = Api::start().await;
    for target in [
        "/workspaces/x/projects/1/webhooks".to_owned(),
        "/workspaces/1/projects/1.5/webhooks".to_owned(),
        "/workspaces/2147483648/projects/1/webhooks".to_owned(),
        "/workspaces/99999999999999999999/projects/1/webhooks".to_owned(),
        "/workspaces/%FF/projects/1/webhooks".to_owned(),
        "/workspaces/+1/projects/1/webhooks".to_owned(),
        format!("{WEBHOOKS}/x"),
        format!("{WEBHOOKS}/2147483648"),
        format!("{WEBHOOKS}/0"),
    ] {
        assert_refused(&api.send("GET", &target, &PAIR, "").await, 404, "Not Found");
    }
    for (target, key, least) in [
        ("/workspaces/0/projects/1/webhooks".to_owned(), "workspace_id", 1),
        ("/workspaces/1/projects/0/webhooks".to_owned(), "project_id", 1),
        (format!("{WEBHOOKS}/-1"), "webhook_id", 0),
    ] {
        let refused = api.send("GET", &target, &PAIR, "").await;
        assert_refused(&refused, 400, &format!("Validation failed for GET {target}"));
        let fault = &json_of(&refused)["extra"][0];
        assert_eq!(fault["message"], format!("Expected `int` >= {least}"));
        assert_eq!((fault["key"].as_str(), fault["source"].as_str()), (Some(key), Some("path")));
    }
}

#[tokio::test]
async fn unknown_routes_are_refused_in_the_apis_form() {
    let api = Api::start().await;
    for target in [
        "/workspaces/1/nothing",
        "/workspaces/1/projects/1/nothing",
        "/api/v2",
        "/api/v2/",
        "/api/v2/nothing",
        "/api/v2/workspaces/1/nothing",
        "/api/v1/webhooks",
        "/api/v1/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/data",
        "/webhooks/data/",
        "/webhook/nothing",
        "/api/v2/webhooks/data/",
    ] {
        assert_refused(&api.send("GET", target, &PAIR, "").await, 404, "Not Found");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let api = Api::start().await;
    for method in ["PUT", "TRACE", "QUERY", "OPTIONS"] {
        for prefix in ["", "/api/v2"] {
            let target = format!("{prefix}{WEBHOOKS}/1");
            let refused = api.send(method, &target, &PAIR, "{}").await;
            assert_refused(&refused, 405, "Method Not Allowed");
            let allowed = refused.headers["allow"].to_str().unwrap();
            for word in ["GET", "PATCH", "DELETE"] {
                assert!(allowed.contains(word), "{allowed}");
            }
            assert!(!refused.headers.contains_key("access-control-allow-origin"));
        }
    }
}

#[tokio::test]
async fn bodies_are_judged() {
    let api = Api::start().await;
    let refused = api.send("POST", WEBHOOKS, &PAIR, "{bad").await;
    assert_refused(&refused, 400, "JSON is malformed: key must be a string (byte 1)");
    let missing = api.send("POST", WEBHOOKS, &PAIR, "").await;
    assert_refused(&missing, 400, &format!("Validation failed for POST {WEBHOOKS}"));
    assert_eq!(json_of(&missing)["extra"][0]["key"], "data");
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(1 << 20));
    let refused = api.send("POST", WEBHOOKS, &PAIR, large).await;
    assert_refused(&refused, 413, "Request Entity Too Large");
    for content_type in ["text/plain", "application/xml", "application/json"] {
        let headers = [PAIR[0], PAIR[1], ("content-type", content_type)];
        assert_eq!(api.send("POST", WEBHOOKS, &headers, "{}").await.status, 201);
    }
}

#[tokio::test]
async fn request_ids_are_echoed_or_made() {
    let api = Api::start().await;
    let answered = async |id: &str| {
        let headers = [PAIR[0], PAIR[1], ("x-request-id", id)];
        let answer = api.send("GET", WEBHOOKS, &headers, "").await;
        answer.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(answered("a1-B2_c3.d4").await, "a1-B2_c3.d4");
    for odd in ["", "two words", "a;b", &"x".repeat(129)] {
        let made = answered(odd).await;
        assert!(!made.is_empty() && made != *odd, "{odd}");
    }
}
