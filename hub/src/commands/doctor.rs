//! `gio-hub doctor`: looks at everything the hub needs, also while it runs, and changes nothing.

use std::net::{TcpListener, UdpSocket};

use gio_agent::doctor::{Diagnosis, chain_of};
use gio_agent::{Home, UserError, unix_now};
use gio_evm::{Chain, WalletState};
use gio_protocol::{Address, U256};

use super::{config, connect, wallet_of};
use crate::config::Config;
use crate::infra::store;

/// What to do about a damaged database.
const DATABASE_HINT: &str = "stop the hub and bring hub.db back from a copy; deals that are open on chain are read from there";

pub(crate) async fn doctor(home: &Home, as_json: bool) -> Result<(), UserError> {
    let mut found = Diagnosis::default();
    let owner = found.key(home).map(|key| key.address());
    let config = found.config(home, config(home));
    if home.folder().exists() {
        found.disk(home.folder());
    }
    let path = home.path("hub.db");
    let look = || store::integrity(&path);
    found.database(&path, DATABASE_HINT, look).await;
    let is_running = found.process(home, "deals under way").await;
    if let Some(config) = &config {
        ports(&mut found, config, is_running);
        if let Some(chain) = chain(&mut found, config).await {
            money(&mut found, config, &chain, owner).await;
        }
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print!("{}", found.text());
    }
    found.verdict()
}

/// Each address of `listen`: free while the hub does not run, and one that others can reach at all.
fn ports(found: &mut Diagnosis, config: &Config, is_running: bool) {
    for addr in &config.listen {
        let Some((host, port, is_udp)) = socket(addr) else {
            continue;
        };
        let is_free = is_running
            || match is_udp {
                true => UdpSocket::bind((host.as_str(), port)).is_ok(),
                false => TcpListener::bind((host.as_str(), port)).is_ok(),
            };
        if !is_free {
            found.fail(
                "port",
                format_args!("{addr} is taken"),
                "stop what uses it, or change `listen`",
            );
        } else if host.starts_with("127.") || host == "::1" {
            let hint = "buyers and miners elsewhere need another address in `listen`";
            found.warn(
                "port",
                format_args!("{addr} is reached from this machine only"),
                hint,
            );
        } else {
            found.ok("port", addr);
        }
    }
}

/// Host, port and protocol of an IP multiaddr.
fn socket(addr: &str) -> Option<(String, u16, bool)> {
    let mut parts = addr.split('/').skip(1);
    let (_, host, protocol) = (parts.next()?, parts.next()?, parts.next()?);
    let port = parts.next()?.parse().ok()?;
    Some((host.to_owned(), port, protocol == "udp"))
}

async fn chain(found: &mut Diagnosis, config: &Config) -> Option<Chain> {
    let chain = match connect(config, None).await {
        Ok(chain) => chain,
        Err(error) => {
            let hint = error.hint.clone().unwrap_or_default();
            found.fail("rpc", chain_of(error.cause.as_ref()), hint);
            return None;
        }
    };
    match chain.head().await {
        Ok(head) => found.rpc(chain.chain_id(), head.number, unix_now(), head.time.0),
        Err(error) => found.fail("rpc", chain_of(&error), "is the node of `rpc_url` up?"),
    }
    Some(chain)
}

async fn money(found: &mut Diagnosis, config: &Config, chain: &Chain, owner: Option<Address>) {
    let Some(owner) = owner else { return };
    match chain.gas_balance(owner).await {
        Ok(U256::ZERO) => {
            found.fail(
                "gas",
                "none",
                format!("send some of the chain's own coin to {owner}"),
            );
        }
        Ok(_) => found.ok("gas", "there is some"),
        Err(error) => found.fail("gas", chain_of(&error), "is the node of `rpc_url` up?"),
    }
    let wallet = match wallet_of(config, chain, owner).await {
        Ok(wallet) => wallet,
        Err(error) => {
            let hint = error.hint.clone().unwrap_or_default();
            return found.fail("wallet", chain_of(error.cause.as_ref()), hint);
        }
    };
    match chain.wallet(wallet).await {
        Ok(info) if info.owner != owner => {
            found.fail(
                "wallet",
                format_args!("{wallet} is {}'s", info.owner),
                "change `hub.wallet`",
            );
        }
        Ok(info) if info.state != WalletState::Registered => {
            let text = format!("{wallet} is {}", info.state.name());
            found.fail("wallet", text, "gio-hub register");
        }
        Ok(info) if info.free < config.prices.guarantee => {
            let text = format!(
                "{wallet}: {} GIO free, a deal needs {}",
                info.free, config.prices.guarantee
            );
            found.fail("wallet", text, format!("send GIO to {wallet}"));
        }
        Ok(info) => found.ok("wallet", format_args!("{wallet}: {} GIO free", info.free)),
        Err(error) => found.fail("wallet", chain_of(&error), "is the node of `rpc_url` up?"),
    }
    match chain.is_delinquent(wallet).await {
        Ok(true) => {
            let hint = "gio-hub payday, then gio-hub register";
            found.fail("payday", "overdue: buyers and miners refuse this hub", hint);
        }
        Ok(false) => found.ok("payday", "not overdue"),
        Err(error) => found.fail("payday", chain_of(&error), "is the node of `rpc_url` up?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_read_from_multiaddrs() {
        assert_eq!(
            socket("/ip4/0.0.0.0/tcp/7701"),
            Some(("0.0.0.0".to_owned(), 7701, false))
        );
        assert_eq!(
            socket("/ip4/127.0.0.1/udp/7701/quic-v1"),
            Some(("127.0.0.1".to_owned(), 7701, true))
        );
        assert_eq!(socket("/dns4"), None);
    }
}
