//! A stock voting front end: a client generated from the ABI that OpenZeppelin publishes with its package, and nothing of
//! this repository but two addresses. It lists, proposes, votes by signature, queues and executes.

use alloy::contract::{ContractInstance, Interface};
use alloy::dyn_abi::{DynSolValue, EventExt as _};
use alloy::json_abi::JsonAbi;
use alloy::primitives::Bytes;
use alloy::providers::{DynProvider, Provider as _, ProviderBuilder};
use alloy::rpc::types::{Filter, Log};
use gio_e2e::devnet::Settings;
use gio_e2e::paths;
use gio_keys::MachineKey;
use gio_protocol::{Address, B256, Gio, U256, keccak256};

use crate::story::{Story, block_on};

const DOMAIN: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const BALLOT: &str = "Ballot(uint256 proposalId,uint8 support,address voter,uint256 nonce)";

/// Enough for every call here: what a wallet asks for is not what this test is about.
const GAS: u64 = 3_000_000;

/// What the npm package ships.
fn published(contract: &str) -> JsonAbi {
    let folder =
        paths::repository().join("contracts/node_modules/@openzeppelin/contracts/build/contracts");
    let text = std::fs::read_to_string(folder.join(format!("{contract}.json"))).unwrap();
    let artifact: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(artifact["abi"].clone()).unwrap()
}

/// A client that knows an address and a published ABI.
struct Client {
    contract: ContractInstance<DynProvider>,
    from: Address,
}

impl Client {
    fn new(provider: &DynProvider, abi: JsonAbi, address: Address, from: Address) -> Self {
        let contract = ContractInstance::new(address, provider.clone(), Interface::new(abi));
        Self { contract, from }
    }

    async fn view(&self, name: &str, args: &[DynSolValue]) -> Vec<DynSolValue> {
        let call = self.contract.function(name, args).unwrap();
        call.from(self.from).call().await.unwrap()
    }

    async fn number(&self, name: &str, args: &[DynSolValue]) -> U256 {
        self.view(name, args).await[0].as_uint().unwrap().0
    }

    async fn text(&self, name: &str) -> String {
        self.view(name, &[]).await[0].as_str().unwrap().to_owned()
    }

    /// Some functions are overloaded; this one has these many arguments.
    async fn send(&self, name: &str, args: &[DynSolValue]) -> Vec<Log> {
        let overloads = &self.contract.abi().functions[name];
        let found = overloads
            .iter()
            .find(|f| f.inputs.len() == args.len())
            .unwrap();
        let call = self
            .contract
            .function_from_selector(&found.selector(), args)
            .unwrap();
        let call = call.from(self.from).gas(GAS);
        let pending = call.send().await.unwrap();
        let receipt = pending.get_receipt().await.unwrap();
        assert!(receipt.status(), "{name}");
        receipt.logs().to_vec()
    }

    /// Everything the contract said of one kind, as its published event reads it.
    async fn events(&self, provider: &DynProvider, name: &str) -> Vec<Vec<DynSolValue>> {
        let event = &self.contract.abi().events[name][0];
        let filter = Filter::new()
            .address(*self.contract.address())
            .from_block(0);
        let logs = provider
            .get_logs(&filter.event_signature(event.selector()))
            .await
            .unwrap();
        let read = |log: &Log| {
            let decoded = event.decode_log(&log.inner.data).unwrap();
            [decoded.indexed, decoded.body].concat()
        };
        logs.iter().map(read).collect()
    }
}

fn uint(value: U256) -> DynSolValue {
    DynSolValue::Uint(value, 256)
}

/// The id Solidity gives an interface: all its own selectors, one over the other.
fn interface_id(abi: &JsonAbi, inherited: &[&str]) -> [u8; 4] {
    let own = abi
        .functions()
        .filter(|f| !inherited.contains(&f.name.as_str()));
    own.fold([0; 4], |id, f| {
        let selector = f.selector();
        std::array::from_fn(|i| id[i] ^ selector[i])
    })
}

/// The ballot a wallet signs, from what the contract says about itself (EIP-5267).
async fn ballot(dao: &Client, proposal: U256, support: u8, voter: Address) -> B256 {
    let domain = dao.view("eip712Domain", &[]).await;
    let word = |value: U256| B256::from(value);
    let separator = keccak256(
        [
            keccak256(DOMAIN),
            keccak256(domain[1].as_str().unwrap()),
            keccak256(domain[2].as_str().unwrap()),
            word(domain[3].as_uint().unwrap().0),
            domain[4].as_address().unwrap().into_word(),
        ]
        .concat(),
    );
    let nonce = dao.number("nonces", &[DynSolValue::Address(voter)]).await;
    let hash = keccak256(
        [
            keccak256(BALLOT),
            word(proposal),
            word(U256::from(support)),
            voter.into_word(),
            word(nonce),
        ]
        .concat(),
    );
    keccak256([&[0x19, 0x01], &separator[..], &hash[..]].concat())
}

#[test]
fn gv_09_a_front_end_that_knows_only_openzeppelin_votes_here() {
    block_on(async {
        let story = Story::prepare(Settings {
            miners: 0,
            ..Settings::default()
        })
        .await;
        let deployment = *story.net.chain.deployment();
        let (dao, treasury) = (deployment.dao.unwrap(), deployment.treasury.unwrap());
        let holder = story.net.chain.account().unwrap();
        let url = story.net.anvil.rpc_url.parse().unwrap();
        let provider = ProviderBuilder::new().connect_http(url).erased();
        let client = Client::new(&provider, published("Governor"), dao, holder);

        // What a front end asks before it shows anything.
        let interface = published("IGovernor");
        let id = interface_id(&interface, &["supportsInterface", "clock", "CLOCK_MODE"]);
        let asked = [DynSolValue::FixedBytes(B256::right_padding_from(&id), 4)];
        let answer = client.view("supportsInterface", &asked).await;
        assert_eq!(answer[0].as_bool(), Some(true), "{id:02x?}");
        assert_eq!(client.text("name").await, "GIO DAO");
        assert_eq!(
            client.text("COUNTING_MODE").await,
            "support=bravo&quorum=for,abstain"
        );
        assert_eq!(client.text("CLOCK_MODE").await, "mode=timestamp");
        let threshold = client.number("proposalThreshold", &[]).await;
        assert_eq!(
            threshold,
            U256::from(Gio::from_whole(10_000).unwrap().units())
        );

        // A second voter, who only ever signs, with the fifth of the supply that spending asks for.
        let voter = MachineKey::from_bytes(&[7; 32]).unwrap();
        let votes = Gio::from_units(story.net.chain.total_supply().await.unwrap().units() / 5);
        give_votes(&story, &voter, votes).await;

        story
            .net
            .chain
            .deposit_to_treasury(Gio::from_whole(5).unwrap())
            .await
            .unwrap();
        let auditor = Address::repeat_byte(0xa0);
        let spend = interface_of(
            "spend(uint256,address,uint128)",
            &[
                U256::ZERO,
                U256::from_be_bytes(auditor.into_word().0),
                U256::from(500),
            ],
        );
        let description = "Pay the auditors";
        let actions = [
            DynSolValue::Array(vec![DynSolValue::Address(treasury)]),
            DynSolValue::Array(vec![uint(U256::ZERO)]),
            DynSolValue::Array(vec![DynSolValue::Bytes(spend.to_vec())]),
        ];
        let text = DynSolValue::String(description.to_owned());
        // Votes count from the second after their delegation on.
        story.net.anvil.pass(1).await.unwrap();
        client
            .send("propose", &[&actions[..], &[text]].concat())
            .await;

        let listed = client.events(&provider, "ProposalCreated").await;
        let [created] = &listed[..] else {
            panic!("one proposal: {listed:?}");
        };
        let proposal = created[0].as_uint().unwrap().0;
        assert_eq!(created[1].as_address(), Some(holder));
        assert_eq!(created[8].as_str(), Some(description));
        let id = [uint(proposal)];
        let snapshot = client.number("proposalSnapshot", &id).await;
        let deadline = client.number("proposalDeadline", &id).await;
        assert_eq!(
            (
                created[6].as_uint().unwrap().0,
                created[7].as_uint().unwrap().0
            ),
            (snapshot, deadline)
        );
        assert_eq!(client.number("state", &id).await, U256::ZERO, "pending");
        let rules = story.net.chain.voting_rules().await.unwrap();
        assert_eq!(deadline - snapshot, U256::from(rules.period));

        story.net.anvil.pass(rules.delay + 1).await.unwrap();
        assert_eq!(client.number("state", &id).await, U256::ONE, "active");
        let supply = story.net.chain.total_supply().await.unwrap();
        let quorum = client.number("quorum", &[uint(snapshot)]).await;
        assert_eq!(quorum, U256::from(supply.units() * 4 / 100));
        let digest = ballot(&client, proposal, 1, voter.address()).await;
        let signature = DynSolValue::Bytes(voter.sign(digest).as_bytes().to_vec());
        let vote = [
            uint(proposal),
            DynSolValue::Uint(U256::ONE, 8),
            DynSolValue::Address(voter.address()),
            signature,
        ];
        client.send("castVoteBySig", &vote).await;
        let again = client
            .contract
            .function("castVoteBySig", &vote)
            .unwrap()
            .from(holder)
            .call()
            .await;
        assert!(again.is_err(), "a signature votes once");
        let cast = client.events(&provider, "VoteCast").await;
        assert_eq!(cast[0][0].as_address(), Some(voter.address()));
        assert_eq!(cast[0][3].as_uint().unwrap().0, U256::from(votes.units()));

        story.net.anvil.pass(rules.period + 1).await.unwrap();
        assert_eq!(
            client.number("state", &id).await,
            U256::from(4),
            "succeeded"
        );
        let hash = DynSolValue::FixedBytes(keccak256(description), 32);
        let named = [&actions[..], &[hash]].concat();
        client.send("queue", &named).await;
        story.net.anvil.pass(rules.timelock + 1).await.unwrap();
        client.send("execute", &named).await;
        assert_eq!(client.number("state", &id).await, U256::from(7), "executed");
        let paid = story.net.chain.balance(auditor).await.unwrap();
        assert_eq!(paid, Gio::from_units(500));
        story.net.stop().await.unwrap();
    });
}

async fn give_votes(story: &Story, voter: &MachineKey, votes: Gio) {
    story.net.anvil.fund_gas(voter.address()).await.unwrap();
    story
        .net
        .chain
        .send_gio(voter.address(), votes)
        .await
        .unwrap();
    let own = gio_evm::Chain::connect(
        &story.net.anvil.rpc_url,
        *story.net.chain.deployment(),
        Some(voter.secret_bytes()),
    );
    own.await
        .unwrap()
        .delegate_votes(voter.address())
        .await
        .unwrap();
}

/// A call of plain words, by its signature.
fn interface_of(signature: &str, words: &[U256]) -> Bytes {
    let mut call = keccak256(signature)[..4].to_vec();
    for word in words {
        call.extend(word.to_be_bytes::<32>());
    }
    call.into()
}
