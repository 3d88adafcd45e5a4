//! Every status and the evidence that gives or takes it.

use super::*;

const OWNER: Address = Address::repeat_byte(1);
const PLACE: &str = "/ip4/10.0.0.1/tcp/7701";

fn gio(units: u64) -> Gio {
    Gio::from_units(units)
}

fn said() -> Announced {
    Announced {
        owner: OWNER,
        endpoints: vec![PLACE.to_owned()],
        peer: "hub-peer".to_owned(),
    }
}

fn facts() -> HubFacts {
    HubFacts {
        owner: OWNER,
        standing: WalletStanding::Registered,
        stake: gio(100),
        stake_due: gio(100),
        backing: Backing {
            free: gio(50),
            escrow: Gio::ZERO,
        },
        endpoint: PLACE.to_owned(),
        endpoint_peer: Some("hub-peer".to_owned()),
        is_delinquent: false,
    }
}

fn status(facts: &HubFacts, history: &PaymentHistory) -> (HubStatus, Reason) {
    let judged = judge(&said(), Some(facts), history);
    (judged.status, judged.reason)
}

#[test]
fn hm03_what_the_chain_contradicts_is_fake() {
    let none = PaymentHistory::default();
    assert_eq!(
        judge(&said(), None, &none),
        Judgement::new(HubStatus::Fake, Reason::WalletNotAdmitted)
    );
    let other = Address::repeat_byte(9);
    let lies = [
        (
            HubFacts {
                owner: other,
                ..facts()
            },
            Reason::OwnerDiffers { owner: other },
        ),
        (
            HubFacts {
                endpoint: "/ip4/10.0.0.2/tcp/1".to_owned(),
                ..facts()
            },
            Reason::EndpointDiffers {
                recorded: "/ip4/10.0.0.2/tcp/1".to_owned(),
            },
        ),
        (
            HubFacts {
                endpoint_peer: Some("other-peer".to_owned()),
                ..facts()
            },
            Reason::EndpointDiffers {
                recorded: "other-peer".to_owned(),
            },
        ),
        (
            HubFacts {
                standing: WalletStanding::Punished,
                ..facts()
            },
            Reason::Punished,
        ),
        (
            HubFacts {
                stake: gio(99),
                ..facts()
            },
            Reason::StakeMissing {
                stake: gio(99),
                due: gio(100),
            },
        ),
    ];
    for (facts, reason) in lies {
        assert_eq!(status(&facts, &none), (HubStatus::Fake, reason));
    }
}

#[test]
fn a_true_hub_that_cannot_pay_now_gets_no_work_done() {
    let none = PaymentHistory::default();
    for standing in [
        WalletStanding::Created,
        WalletStanding::Idle,
        WalletStanding::Suspected,
    ] {
        let facts = HubFacts {
            standing,
            stake: Gio::ZERO,
            ..facts()
        };
        let expected = (HubStatus::NotConfirmed, Reason::NotRegistered(standing));
        assert_eq!(status(&facts, &none), expected);
    }
    let poor = HubFacts {
        backing: Backing::default(),
        ..facts()
    };
    assert_eq!(
        status(&poor, &none),
        (HubStatus::NotConfirmed, Reason::NoMoney)
    );
    let only_deals = HubFacts {
        backing: Backing {
            free: Gio::ZERO,
            escrow: gio(1),
        },
        ..facts()
    };
    assert!(status(&only_deals, &none).0.allows_work());
}

#[test]
fn r08_a_hub_that_puts_payday_off_gets_no_work_done_however_well_it_paid() {
    let paid = PaymentHistory {
        earned: gio(1),
        promised: gio(1),
        received: gio(1),
        was_even: true,
    };
    let overdue = HubFacts {
        is_delinquent: true,
        ..facts()
    };
    let judged = status(&overdue, &paid);
    assert_eq!(judged, (HubStatus::NotConfirmed, Reason::Delinquent));
    assert!(!judged.0.allows_work());
    assert!(Reason::Delinquent.to_string().contains("overdue"));
}

#[test]
fn hm16_payment_as_agreed_makes_safe_and_a_short_one_unmakes_it() {
    let mut history = PaymentHistory::default();
    assert_eq!(
        status(&facts(), &history),
        (HubStatus::Checked, Reason::NotPaidYet)
    );
    history.earned = gio(10);
    history.promised = gio(4);
    assert!(matches!(
        status(&facts(), &history).1,
        Reason::PaidShort { .. }
    ));
    history.received = gio(4);
    assert_eq!(
        status(&facts(), &history),
        (HubStatus::Checked, Reason::NotPaidYet),
        "a part"
    );
    history.promised = gio(10);
    history.received = gio(10);
    let safe = (HubStatus::Safe, Reason::PaidAsAgreed { received: gio(10) });
    assert_eq!(status(&facts(), &history), safe);
    history.was_even = true;
    history.earned = gio(25);
    assert_eq!(
        status(&facts(), &history),
        safe,
        "work in progress is no debt yet"
    );
    history.promised = gio(20);
    assert_eq!(status(&facts(), &history).0, HubStatus::Checked);
}

#[test]
fn hm17_a_safe_hub_falls_with_its_wallet() {
    let paid = PaymentHistory {
        earned: gio(1),
        promised: gio(1),
        received: gio(1),
        was_even: true,
    };
    let suspected = HubFacts {
        standing: WalletStanding::Suspected,
        ..facts()
    };
    assert_eq!(status(&suspected, &paid).0, HubStatus::NotConfirmed);
    let punished = HubFacts {
        standing: WalletStanding::Punished,
        ..facts()
    };
    assert_eq!(status(&punished, &paid).0, HubStatus::Fake);
}

#[test]
fn statuses_read_back_what_they_print() {
    for status in [
        HubStatus::Fake,
        HubStatus::Unknown,
        HubStatus::NotConfirmed,
        HubStatus::Checked,
        HubStatus::Safe,
    ] {
        assert_eq!(status.name().parse(), Ok(status));
    }
    assert!("trusted".parse::<HubStatus>().is_err());
}
