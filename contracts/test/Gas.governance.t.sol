// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AppPool} from "src/AppPool.sol";
import {MinerRegistry} from "src/MinerRegistry.sol";
import {ITreasury} from "src/interfaces/ITreasury.sol";
import {AppKind, ReleaseDraft} from "src/types/App.sol";
import {RegistryParameters} from "src/types/Miner.sol";
import {GovernanceBase} from "./utils/GovernanceBase.sol";

/// @notice What the transactions of government, pool and registry cost their senders, in `snapshots/gas/governance.json`:
/// base cost, calldata and execution on cold storage, refunds taken off.
/// @dev Each call is its own transaction. Everything is fixed, so that equal code gives equal figures.
/// forge-config: default.isolate = true
/// forge-config: ci.isolate = true
/// forge-config: long.isolate = true
contract GasGovernanceTest is GovernanceBase {
    string private constant GROUP = "governance";

    address private constant COURT = address(0xc0047);

    Account private machine = makeAccount("machine");
    MinerRegistry private registry;
    AppPool private pool;

    function setUp() public override {
        super.setUp();
        registry =
            new MinerRegistry(token, COURT, RegistryParameters({bondMin: 10 * GIO, clock: 84 hours, grace: 1 days}));
        pool = new AppPool();
        _fundFor(address(registry), stranger, 100 * GIO);
        _fundFor(address(treasury), faucet, 100 * GIO);
    }

    function _proposal() private view returns (Proposal memory) {
        return _single(address(treasury), abi.encodeCall(ITreasury.spend, (0, recipient, GIO)), "Pay the auditors");
    }

    function test_gas_propose() public {
        _propose(_proposal());
        vm.snapshotGasLastCall(GROUP, "propose");
    }

    function test_gas_vote() public {
        Proposal memory p = _proposal();
        _propose(p);
        _startVote(p.id);
        _vote(alice, p.id, FOR);
        vm.snapshotGasLastCall(GROUP, "vote");
    }

    function test_gas_queue_and_execute() public {
        vm.prank(faucet);
        treasury.deposit(GIO);
        vm.snapshotGasLastCall(GROUP, "treasury_deposit");
        Proposal memory p = _proposal();
        _propose(p);
        _voteFor(p.id);
        dao.queue(p.id);
        vm.snapshotGasLastCall(GROUP, "queue");
        vm.warp(dao.proposalEta(p.id));
        dao.execute(p.id);
        vm.snapshotGasLastCall(GROUP, "execute_spend");
    }

    function test_gas_case() public {
        uint256 caseId = _accuse(stranger, GIO);
        vm.snapshotGasLastCall(GROUP, "accuse");
        _endVote(cases.proposalOf(caseId));
        cases.decide(caseId);
        vm.snapshotGasLastCall(GROUP, "decide");
    }

    function test_gas_dividend() public {
        _fund(address(treasury), 100 * GIO);
        vm.warp(GENESIS + 31 days);
        treasury.closeEpoch();
        vm.snapshotGasLastCall(GROUP, "close_epoch");
        treasury.claimDividend(1, alice.addr);
        vm.snapshotGasLastCall(GROUP, "claim_dividend");
    }

    function test_gas_bond() public {
        vm.startPrank(stranger);
        registry.bond(stranger, 100 * GIO);
        vm.snapshotGasLastCall(GROUP, "bond");
        registry.requestWithdrawal(100 * GIO);
        vm.snapshotGasLastCall(GROUP, "request_withdrawal");
        skip(registry.withdrawalDelay());
        registry.withdraw();
        vm.snapshotGasLastCall(GROUP, "withdraw_bond");
    }

    function test_gas_delegate_key() public {
        uint64 deadline = uint64(block.timestamp);
        bytes32 digest = registry.consentDigest(machine.addr, stranger, deadline);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(machine.key, digest);
        vm.prank(stranger);
        registry.delegateKey(machine.addr, deadline, abi.encodePacked(r, s, v));
        vm.snapshotGasLastCall(GROUP, "delegate_key");
    }

    function test_gas_court() public {
        vm.prank(stranger);
        registry.bond(stranger, 100 * GIO);
        vm.startPrank(COURT);
        registry.reserve("claim", stranger, GIO);
        vm.snapshotGasLastCall(GROUP, "reserve");
        registry.slash("claim", recipient);
        vm.snapshotGasLastCall(GROUP, "slash");
    }

    function test_gas_publish() public {
        ReleaseDraft memory draft = ReleaseDraft(AppKind.WasmModule, 50, stranger, "digest", "MIT");
        vm.startPrank(stranger);
        pool.publish("blender-render", "1.0.0", draft);
        vm.snapshotGasLastCall(GROUP, "publish_first");
        pool.publish("blender-render", "1.0.1", draft);
        vm.snapshotGasLastCall(GROUP, "publish");
    }
}
