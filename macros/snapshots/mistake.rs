::core::compile_error! {
    "unknown option `lnk`: did you mean `link`?"
}
async fn charge_card(msg: OrderPlaced, now: Instant) {}
