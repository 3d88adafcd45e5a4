//! `gio-hub register`: wallet, deposit, stake, register.

use gio_agent::{ExitStatus, Home, UserError};
use gio_evm::{Chain, HubKind, HubRecord, WalletState};
use gio_net::Multiaddr;
use gio_protocol::{Address, B256, Gio};

use super::{config, connect, usage};
use crate::cli::Register;
use crate::config::Config;

/// Longest texts of a record; the contract refuses longer ones, after the deposit has moved.
const ENDPOINT_BYTES_MAX: usize = 256;
const DESCRIPTION_BYTES_MAX: usize = 512;

/// Every step looks at the chain first, so that the command can be repeated after a kill.
pub(crate) async fn register(home: &Home, args: Register) -> Result<(), UserError> {
    check_texts(&args)?;
    let config = config(home)?;
    let key = home.key().map_err(usage)?;
    let _lock = home.lock().map_err(usage)?;
    let chain = connect(&config, Some(key.secret_bytes())).await?;
    let wallet = wallet(&config, &chain, key.address()).await?;
    let info = chain.wallet(wallet).await?;
    if info.state == WalletState::Registered {
        println!("{wallet}");
        eprintln!("already registered");
        return Ok(());
    }
    check_deposit(
        args.deposit,
        info.parameters.freeze_quota,
        config.prices.guarantee,
    )?;
    fund(&chain, wallet, key.address(), args.deposit).await?;
    let record = HubRecord {
        endpoint: args.endpoint,
        name: config.hub.name,
        description: args.description,
        kind: HubKind::Compute,
    };
    chain.register(wallet, record).await?;
    gio_failpoint::fail_point!("hub.sent.registration");
    println!("{wallet}");
    eprintln!("registered; run `gio-hub start`");
    Ok(())
}

fn check_texts(args: &Register) -> Result<(), UserError> {
    let addr = args.endpoint.parse::<Multiaddr>();
    let is_addr = addr.is_ok_and(|addr| !addr.is_empty());
    if !is_addr || args.endpoint.len() > ENDPOINT_BYTES_MAX {
        let text = format!("`{}` is not a multiaddr", args.endpoint);
        return Err(UserError::new(text, ExitStatus::Usage)
            .hint("for example /ip4/203.0.113.7/tcp/7701/p2p/<peer>"));
    }
    if args.description.len() > DESCRIPTION_BYTES_MAX {
        let text = format!("a description has at most {DESCRIPTION_BYTES_MAX} bytes");
        return Err(UserError::new(text, ExitStatus::Usage));
    }
    Ok(())
}

async fn wallet(config: &Config, chain: &Chain, owner: Address) -> Result<Address, UserError> {
    if let Some(wallet) = config.hub.wallet {
        return Ok(wallet);
    }
    Ok(match chain.wallets_of(owner).await?.first() {
        Some(wallet) => *wallet,
        None => {
            let (wallet, _) = chain.create_hub(B256::ZERO).await?;
            gio_failpoint::fail_point!("hub.sent.creation");
            wallet
        }
    })
}

/// A deposit that pays for no deal would sit in the wallet for nothing.
fn check_deposit(deposit: Gio, stake: Gio, guarantee: Gio) -> Result<(), UserError> {
    let least = stake.plus(guarantee)?;
    if deposit >= least {
        return Ok(());
    }
    let text = format!("a deposit of {deposit} GIO is too little");
    let hint = format!(
        "the stake is {stake} GIO and the guarantee of one deal {guarantee} GIO: deposit at least {least}"
    );
    Err(UserError::new(text, ExitStatus::Usage).hint(hint))
}

/// Moves what is missing of the deposit into the wallet.
async fn fund(
    chain: &Chain,
    wallet: Address,
    owner: Address,
    deposit: Gio,
) -> Result<(), UserError> {
    let missing = deposit.minus_or_zero(chain.balance(wallet).await?);
    if missing == Gio::ZERO {
        return Ok(());
    }
    let have = chain.balance(owner).await?;
    if have < missing {
        let text = format!("{owner} holds {have} GIO, the deposit needs {missing} GIO");
        return Err(UserError::new(text, ExitStatus::Funds).hint("send GIO to this account"));
    }
    chain.send_gio(wallet, missing).await?;
    gio_failpoint::fail_point!("hub.sent.deposit");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deposit_covers_the_stake_and_one_deal() {
        let gio = Gio::from_units;
        assert!(check_deposit(gio(11), gio(10), gio(1)).is_ok());
        let error = check_deposit(gio(10), gio(10), gio(1)).unwrap_err();
        assert!(error.hint.unwrap().ends_with("deposit at least 0.00000011"));
    }

    #[test]
    fn texts_the_contract_would_refuse_are_refused_before_money_moves() {
        let args = |endpoint: &str, description: usize| Register {
            deposit: Gio::ZERO,
            endpoint: endpoint.to_owned(),
            description: "x".repeat(description),
        };
        assert!(check_texts(&args("/ip4/127.0.0.1/tcp/1", 512)).is_ok());
        assert!(check_texts(&args("/ip4/127.0.0.1/tcp/1", 513)).is_err());
        assert!(check_texts(&args("127.0.0.1:1", 0)).is_err());
        assert!(check_texts(&args("", 0)).is_err());
    }
}
