// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Vm} from "forge-std/Vm.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {DealId, DealTerms, SumNode, SumStep} from "src/types/Deal.sol";
import {Ledger} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {ResultTreeBuilder} from "../utils/Merkle.sol";
import {PayoutBuilder} from "../utils/Payouts.sol";
import {Typed} from "../utils/Typed.sol";

/// @notice Bookkeeping is transparent: the wallet's sums follow from its events alone (HW-26).
contract HubWalletAuditTest is BaseTest {
    Ledger private rebuilt;
    mapping(bytes32 dealId => DealTerms) private opened;
    mapping(address miner => uint256) private approved;
    uint64 private unclaimed;
    uint256 private balance;

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

    /// @dev A whole life: payouts and a claim, a lost guarantee, suspicion and rehabilitation, a second period, payday and
    /// withdrawal. Ledger, unclaimed payouts and balance follow from events at every step.
    function test_hw26_wholeLife_isRebuiltFromEventsAlone(uint64 net, uint64 claimed) public {
        vm.recordLogs();
        net = uint64(bound(net, 2, 100 * GIO));
        claimed = uint64(bound(claimed, 1, net - 1));
        _register();
        address[] memory miners = new address[](2);
        uint64[] memory nets = new uint64[](2);
        (miners[0], miners[1], nets[0], nets[1]) = (miner, stranger.addr, claimed, net - claimed);
        bytes32[][] memory levels = PayoutBuilder.build(miners, nets);
        vm.prank(hub.addr);
        wallet.postPayout(PayoutBuilder.top(levels), 2, 0);
        wallet.claimPayout(0, 2, 0, miner, claimed, PayoutBuilder.proof(levels, 0));
        _replayAndCompare();
        _loseAGuarantee();
        _replayAndCompare();
        cases.open(1, address(wallet));
        vm.startPrank(dao);
        wallet.suspect(1);
        _replayAndCompare();
        wallet.rehab();
        vm.stopPrank();
        _replayAndCompare();
        vm.startPrank(hub.addr);
        wallet.register(_record());
        wallet.transfer(miner, net);
        cases.close(1, address(wallet));
        skip(30 days);
        wallet.payday();
        _replayAndCompare();
        wallet.withdraw();
        vm.stopPrank();
        _replayAndCompare();
        assertEq(balance, uint256(net - claimed) + approved[miner], "what is left is owed");
    }

    function _loseAGuarantee() private {
        DealTerms memory terms = _terms();
        terms.unitCount = 2;
        _open(terms);
        SumStep[] memory path = new SumStep[](1);
        (path[0].left, path[0].right) = (SumNode("left", 1), SumNode("right", 1));
        _post(terms, ResultTreeBuilder.node(path[0].left, path[0].right), 3);
        wallet.refuteSum(terms, path);
    }

    function _replayAndCompare() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(wallet)) _replay(logs[i]);
            if (logs[i].emitter == address(token)) _replayToken(logs[i]);
        }
        assertEq(keccak256(abi.encode(wallet.ledger())), keccak256(abi.encode(rebuilt)), "the ledger");
        assertEq(wallet.payoutsUnclaimed(), unclaimed, "unclaimed");
        uint256 held = token.balanceOf(address(wallet));
        if (wallet.freezer() != address(0)) held += token.balanceOf(wallet.freezer());
        assertEq(held, balance, "the balance");
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
        } else if (!_replayLife(log) && name != IHubWallet.ResultPosted.selector) {
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
        if (log.topics[0] == IHubWallet.DealRefuted.selector) {
            (uint128 back, uint128 guarantee, uint128 compensation) = abi.decode(log.data, (uint128, uint128, uint128));
            assertEq(back, terms.cap);
            assertEq(guarantee, terms.guarantee);
            assertEq(compensation, guarantee * 70 / 100);
            return;
        }
        (uint128 payment,, uint128 refund) = abi.decode(log.data, (uint128, uint128, uint128));
        assertEq(payment + refund, terms.cap, "payment and refund are the cap");
    }

    /// @dev Payouts, payday, suspicion.
    function _replayLife(Vm.Log memory log) private returns (bool) {
        bytes32 name = log.topics[0];
        if (name == IHubWallet.PayoutPosted.selector) {
            (,, uint128 lock, uint64 net,,) = abi.decode(log.data, (uint32, uint128, uint128, uint64, bytes32, bytes32));
            rebuilt.locked += lock;
            unclaimed += net;
        } else if (name == IHubWallet.PayoutClaimed.selector) {
            (, uint64 net) = abi.decode(log.data, (uint32, uint64));
            unclaimed -= net;
        } else if (name == IHubWallet.PaydayHeld.selector) {
            (, uint128 locked, uint128 stake) = abi.decode(log.data, (uint128, uint128, uint128));
            assertEq(locked, rebuilt.locked);
            assertEq(stake, rebuilt.stake);
            (rebuilt.locked, rebuilt.stake) = (0, 0);
        } else if (name == IHubWallet.WalletRehabilitated.selector) {
            (rebuilt.locked, rebuilt.stake) = (0, 0);
        } else {
            return name == IHubWallet.Withdrawn.selector || name == IHubWallet.WalletSuspected.selector;
        }
        return true;
    }

    /// @dev The balance by the token's own events, wherever the wallet keeps it.
    function _replayToken(Vm.Log memory log) private {
        if (log.topics[0] != IERC20.Transfer.selector) return;
        uint256 amount = abi.decode(log.data, (uint256));
        if (_holds(log.topics[1])) balance -= amount;
        if (_holds(log.topics[2])) balance += amount;
    }

    function _holds(bytes32 topic) private view returns (bool) {
        address who = address(uint160(uint256(topic)));
        return who == address(wallet) || (who == wallet.freezer() && who != address(0));
    }

    function _miner(Vm.Log memory log) private pure returns (address) {
        return address(uint160(uint256(log.topics[1])));
    }
}
