//! `gio-hub status`: the wallet and the deals under way.

use gio_agent::{Home, UserError};
use gio_evm::{WalletInfo, WalletState};
use gio_protocol::{Address, Gio};
use serde_json::{Value, json};

use super::{config, connect, key, open_store, wallet_of};
use crate::domain::stage::Stage;
use crate::infra::store::DealRow;

/// Deals that are not over.
const UNDER_WAY: [Stage; 5] = [
    Stage::Signed,
    Stage::Open,
    Stage::Running,
    Stage::Assembling,
    Stage::Posted,
];

/// What is shown of the wallet.
#[derive(Clone, Copy)]
struct Figures {
    owner: Address,
    wallet: Address,
    state: WalletState,
    balance: Gio,
    free: Gio,
    stake: Gio,
    locked: Gio,
    escrow: Gio,
    guarantees: Gio,
    approvals: Gio,
}

impl Figures {
    fn of(wallet: Address, info: &WalletInfo) -> Self {
        Self {
            owner: info.owner,
            wallet,
            state: info.state,
            balance: info.balance,
            free: info.free,
            stake: info.stake,
            locked: info.locked,
            escrow: info.escrow,
            guarantees: info.guarantees,
            approvals: info.approvals,
        }
    }
}

pub(crate) async fn status(home: &Home, as_json: bool) -> Result<(), UserError> {
    let config = config(home)?;
    let owner = key(home)?.address();
    let chain = connect(&config, None).await?;
    let wallet = wallet_of(&config, &chain, owner).await?;
    let figures = Figures::of(wallet, &chain.wallet(wallet).await?);
    let is_there = config.database_url.is_some() || home.path("hub.db").exists();
    let deals = match is_there {
        true => {
            open_store(&config, home)
                .await?
                .deals_in(&UNDER_WAY)
                .await?
        }
        false => Vec::new(),
    };
    if as_json {
        println!("{}", as_value(&figures, &deals));
    } else {
        print!("{}", as_text(&figures, &deals));
    }
    Ok(())
}

/// What scripts read; amounts in base units.
fn as_value(wallet: &Figures, deals: &[DealRow]) -> Value {
    let deals = deals.iter().map(|deal| {
        json!({
            "id": deal.id,
            "stage": deal.stage.name(),
            "buyer": deal.terms.buyer,
            "units": deal.terms.unit_count,
            "cap": deal.terms.cap,
            "deliver_by": deal.terms.deliver_by,
        })
    });
    json!({
        "owner": wallet.owner,
        "wallet": wallet.wallet,
        "state": wallet.state,
        "balance": wallet.balance,
        "free": wallet.free,
        "stake": wallet.stake,
        "locked": wallet.locked,
        "escrow": wallet.escrow,
        "guarantees": wallet.guarantees,
        "approvals": wallet.approvals,
        "deals": deals.collect::<Vec<_>>(),
    })
}

fn as_text(wallet: &Figures, deals: &[DealRow]) -> String {
    let mut lines = vec![
        format!("owner   {}", wallet.owner),
        format!("wallet  {} ({})", wallet.wallet, wallet.state.name()),
    ];
    let amounts = [
        ("free", wallet.free),
        ("escrow", wallet.escrow),
        ("stake", wallet.stake),
        ("locked", wallet.locked),
    ];
    lines.extend(amounts.map(|(name, amount)| format!("{name:<7} {amount:>20} GIO")));
    lines.push(format!("{} deals under way", deals.len()));
    lines.extend(deals.iter().map(|deal| {
        let (stage, terms) = (deal.stage.name(), &deal.terms);
        let (units, cap) = (terms.unit_count, terms.cap);
        format!("  {}  {stage}  {units} units, cap {cap} GIO", deal.id)
    }));
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infra::store::tests::row;

    fn wallet() -> Figures {
        let gio = Gio::from_units;
        Figures {
            owner: Address::repeat_byte(1),
            wallet: Address::repeat_byte(3),
            state: WalletState::Registered,
            balance: gio(100),
            free: gio(40),
            stake: gio(30),
            locked: gio(3),
            escrow: gio(20),
            guarantees: gio(5),
            approvals: gio(2),
        }
    }

    #[test]
    fn scripts_read_this() {
        let deals = [row(1)];
        let value = as_value(&wallet(), &deals);
        let expected = json!({
            "owner": "0x0101010101010101010101010101010101010101",
            "wallet": "0x0303030303030303030303030303030303030303",
            "state": "registered",
            "balance": 100,
            "free": 40,
            "stake": 30,
            "locked": 3,
            "escrow": 20,
            "guarantees": 5,
            "approvals": 2,
            "deals": [{
                "id": deals[0].id.to_string(),
                "stage": "signed",
                "buyer": "0x0202020202020202020202020202020202020202",
                "units": 4,
                "cap": 8_000,
                "deliver_by": 10_600,
            }],
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn people_read_this() {
        let deals = [row(1)];
        let id = deals[0].id;
        let expected = format!(
            "owner   0x0101010101010101010101010101010101010101\n\
             wallet  0x0303030303030303030303030303030303030303 (registered)\n\
             free              0.00000040 GIO\n\
             escrow            0.00000020 GIO\n\
             stake             0.00000030 GIO\n\
             locked            0.00000003 GIO\n\
             1 deals under way\n  \
             {id}  signed  4 units, cap 0.00008000 GIO\n"
        );
        assert_eq!(as_text(&wallet(), &deals), expected);
    }
}
