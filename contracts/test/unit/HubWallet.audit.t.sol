// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealTerms} from "src/types/Deal.sol";
import {Ledger} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice Bookkeeping is transparent: the wallet's sums follow from its events alone (HW-26).
contract HubWalletAuditTest is BaseTest {
    Ledger private rebuilt;
    mapping(bytes32 dealId => DealTerms) private opened;
    mapping(address miner => uint256) private approved;

    function test_r06_ledger_isRebuiltFromEventsAlone(uint128 gross, uint128 pulled, uint64 cu) public {
        vm.recordLogs();
        _story(uint128(bound(gross, 10, 100 * GIO)), pulled, cu);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(wallet)) _replay(logs[i]);
        }
        assertEq(keccak256(abi.encode(wallet.ledger())), keccak256(abi.encode(rebuilt)), "the ledger");
        assertEq(wallet.approvedTo(miner), approved[miner], "the miner");
        assertGt(rebuilt.escrow, 0, "a deal is still open");
        assertGt(rebuilt.guarantees, 0);
    }

    /// @dev Every event of the wallet but a refutation: four deals, one left open, and payouts with a pull in between.
    function _story(uint128 gross, uint128 pulled, uint64 cu) private {
        _register();
        DealTerms[] memory deals = new DealTerms[](4);
        for (uint256 i = 0; i < deals.length; ++i) {
            deals[i] = _terms();
            _freshNonce(deals[i], bytes32(i));
            deals[i].cap = uint128((i + 1) * GIO);
            deals[i].guarantee = uint128((i + 1) * GIO / 3);
            _open(deals[i]);
        }
        bytes32 resultRoot = _post(deals[0], keccak256("tree"), cu);
        vm.prank(buyer.addr);
        wallet.confirm(deals[0], resultRoot, "");
        bytes32 digest = _digest(Typed.cancellation(_dealId(deals[1]), GIO));
        wallet.cancel(deals[1], GIO, _sign(buyer, digest), _sign(hub, digest));

        vm.prank(hub.addr);
        wallet.transfer(miner, gross);
        pulled = uint128(bound(pulled, 0, wallet.approvedTo(miner)));
        vm.prank(miner);
        token.transferFrom(address(wallet), miner, pulled);
        vm.prank(hub.addr);
        wallet.transferNet(miner, gross);

        vm.warp(uint256(deals[2].deliverBy) + 1);
        wallet.refund(deals[2]);
    }

    function _replay(Vm.Log memory log) private {
        bytes32 name = log.topics[0];
        if (name == IHubWallet.WalletRegistered.selector) {
            (rebuilt.stake,) = abi.decode(log.data, (uint128, uint64));
        } else if (name == IHubWallet.DealOpened.selector) {
            DealTerms memory terms = abi.decode(log.data, (DealTerms));
            opened[log.topics[1]] = terms;
            rebuilt.escrow += terms.cap;
            rebuilt.guarantees += terms.guarantee;
            assertEq(DealId.unwrap(_dealId(terms)), log.topics[1], "the event carries the whole terms");
        } else if (name == IHubWallet.PaymentApproved.selector) {
            (, uint128 lock, uint128 net, uint128 allowance) =
                abi.decode(log.data, (uint128, uint128, uint128, uint128));
            rebuilt.locked += lock;
            rebuilt.approvals += net;
            approved[_miner(log)] += net;
            assertEq(approved[_miner(log)], allowance);
        } else if (name == IHubWallet.PullSeen.selector) {
            (uint128 pulled,) = abi.decode(log.data, (uint128, uint128));
            rebuilt.approvals -= pulled;
            approved[_miner(log)] -= pulled;
        } else if (name != IHubWallet.ResultPosted.selector) {
            _replayEnd(log);
        }
    }

    function _replayEnd(Vm.Log memory log) private {
        DealTerms memory terms = opened[log.topics[1]];
        rebuilt.escrow -= terms.cap;
        rebuilt.guarantees -= terms.guarantee;
        if (log.topics[0] == IHubWallet.DealRefunded.selector) {
            assertEq(abi.decode(log.data, (uint128)), terms.cap);
            return;
        }
        (uint128 payment,, uint128 refund) = abi.decode(log.data, (uint128, uint128, uint128));
        assertEq(payment + refund, terms.cap, "payment and refund are the cap");
    }

    function _miner(Vm.Log memory log) private pure returns (address) {
        return address(uint160(uint256(log.topics[1])));
    }
}
