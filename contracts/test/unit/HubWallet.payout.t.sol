// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IHubWallet} from "src/interfaces/IHubWallet.sol";
import {Payout, WalletState} from "src/types/Wallet.sol";
import {BaseTest} from "../utils/BaseTest.sol";
import {PayoutBuilder} from "../utils/Payouts.sol";

/// @notice `postPayout` and `claimPayout`: one root for all miners of an epoch (R9).
contract HubWalletPayoutTest is BaseTest {
    address[] private miners;
    uint64[] private nets;
    bytes32[][] private levels;
    uint64 private total;

    function setUp() public override {
        super.setUp();
        _register();
    }

    /// @dev A top node of this sum.
    function _top(uint64 net) private pure returns (bytes32) {
        return PayoutBuilder.node("tree", net);
    }

    function _epoch(uint256 count, uint256 seed) private {
        (miners, nets, total) = (new address[](count), new uint64[](count), 0);
        for (uint256 i = 0; i < count; ++i) {
            miners[i] = PayoutBuilder.minerAt(i);
            nets[i] = uint64(uint256(keccak256(abi.encode(seed, i))) % (10 * GIO)) + 1;
            total += nets[i];
        }
        levels = PayoutBuilder.build(miners, nets);
    }

    function _postEpoch() private returns (uint32) {
        bytes32 top = PayoutBuilder.top(levels);
        vm.prank(hub.addr);
        return wallet.postPayout(top, uint32(miners.length), keccak256("leaf file"));
    }

    function _claim(uint32 epoch, uint256 i) private {
        wallet.claimPayout(epoch, uint32(miners.length), uint32(i), miners[i], nets[i], PayoutBuilder.proof(levels, i));
    }

    function test_postPayout_byOthers_reverts(address caller) public {
        vm.assume(caller != hub.addr);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.NotOwner.selector, caller, hub.addr));
        vm.prank(caller);
        wallet.postPayout(_top(1), 1, 0);
    }

    function test_postPayout_ofNothingOrForNobody_reverts(uint32 count) public {
        vm.startPrank(hub.addr);
        vm.expectRevert(IHubWallet.AmountZero.selector);
        wallet.postPayout(_top(0), 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PayoutCountOutOfRange.selector, 0));
        wallet.postPayout(_top(1), 0, 0);
        count = uint32(bound(count, (1 << 20) + 1, type(uint32).max));
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PayoutCountOutOfRange.selector, count));
        wallet.postPayout(_top(1), count, 0);
    }

    function test_r06_postPayout_aboveFreeBalance_reverts(uint64 net) public {
        uint256 free = HUB_MONEY - QUOTA;
        net = uint64(bound(net, free * 70 / 100 + 1, type(uint64).max));
        uint256 gross = (uint256(net) * 100 + 69) / 70;
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.FreeBalanceTooLow.selector, free, gross));
        vm.prank(hub.addr);
        wallet.postPayout(_top(net), 1, 0);
    }

    function test_r09_postPayout_reservesTheNetAndLocksTheRest(uint64 net) public {
        net = uint64(bound(net, 1, (HUB_MONEY - QUOTA) * 70 / 100));
        uint128 gross = uint128((uint256(net) * 100 + 69) / 70);
        vm.expectEmit(address(wallet));
        emit IHubWallet.PayoutPosted(0, 7, gross, gross - net, net, _top(net), "file");
        vm.prank(hub.addr);
        assertEq(wallet.postPayout(_top(net), 7, "file"), 0);

        assertEq(wallet.payoutsUnclaimed(), net);
        assertEq(wallet.ledger().locked, gross - net);
        assertGe(gross - net, uint256(gross) * 30 / 100, "the lock is never less than its part");
        assertLe(gross - net, uint256(gross) * 30 / 100 + 1);
        assertEq(wallet.freeBalance(), HUB_MONEY - QUOTA - gross);
        Payout memory made = wallet.payout(0);
        assertEq(made.root, PayoutBuilder.root(7, _top(net)));
        assertEq(made.reserve, net);
        assertEq(wallet.payoutCount(), 1);
    }

    function test_r09_claimPayout_paysEachLeafOnce(uint256 count, uint256 seed) public {
        count = bound(count, 1, 40);
        _epoch(count, seed);
        uint32 epoch = _postEpoch();
        for (uint256 i = 0; i < count; ++i) {
            assertFalse(wallet.isClaimed(epoch, uint32(i)));
            vm.expectEmit(address(wallet));
            emit IHubWallet.PayoutClaimed(epoch, miners[i], uint32(i), nets[i]);
            vm.expectEmit(address(token));
            emit IERC20.Transfer(address(wallet), miners[i], nets[i]);
            _claim(epoch, i);
            assertTrue(wallet.isClaimed(epoch, uint32(i)));
            assertEq(token.balanceOf(miners[i]), nets[i]);
        }
        assertEq(wallet.payoutsUnclaimed(), 0);
        assertEq(wallet.payout(epoch).reserve, 0);
        bytes32[] memory again = PayoutBuilder.proof(levels, 0);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PayoutClaimedAlready.selector, epoch, 0));
        wallet.claimPayout(epoch, uint32(count), 0, miners[0], nets[0], again);
    }

    /// @dev Around every end of a word, begun by the posting or by the first claim: each leaf is claimed alone, and once.
    function test_r09_claimPayout_wordsOfMarks_doNotTouch() public {
        _fund(address(wallet), 20_000 * GIO);
        _epoch(1400, 0);
        uint32 epoch = _postEpoch();
        uint32[9] memory leaves = [uint32(0), 254, 255, 509, 510, 1019, 1020, 1275, 1399];
        for (uint256 i = 0; i < leaves.length; ++i) {
            for (uint256 j = 0; j < leaves.length; ++j) {
                assertEq(wallet.isClaimed(epoch, leaves[j]), j < i, "only what was claimed");
            }
            _claim(epoch, leaves[i]);
            bytes32[] memory again = PayoutBuilder.proof(levels, leaves[i]);
            vm.expectRevert(abi.encodeWithSelector(IHubWallet.PayoutClaimedAlready.selector, epoch, leaves[i]));
            wallet.claimPayout(epoch, 1400, leaves[i], miners[leaves[i]], nets[leaves[i]], again);
        }
    }

    /// @dev Another miner, amount, index, count, epoch or proof is not in the tree.
    function test_r09_claimPayout_ofWhatIsNotThere_reverts(uint256 seed) public {
        _epoch(5, seed);
        uint32 epoch = _postEpoch();
        bytes32[] memory proof = PayoutBuilder.proof(levels, 1);
        bytes memory refusal = abi.encodeWithSelector(IHubWallet.PayoutProofInvalid.selector, epoch, 1);
        vm.expectRevert(refusal);
        wallet.claimPayout(epoch, 5, 1, stranger.addr, nets[1], proof);
        vm.expectRevert(refusal);
        wallet.claimPayout(epoch, 5, 1, miners[1], nets[1] + 1, proof);
        vm.expectRevert(refusal);
        wallet.claimPayout(epoch, 6, 1, miners[1], nets[1], proof);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PayoutProofInvalid.selector, epoch, 0));
        wallet.claimPayout(epoch, 5, 0, miners[1], nets[1], proof);
        vm.expectRevert(abi.encodeWithSelector(IHubWallet.PayoutProofInvalid.selector, epoch + 1, 1));
        wallet.claimPayout(epoch + 1, 5, 1, miners[1], nets[1], proof);
        proof[0] ^= bytes32(uint256(1));
        vm.expectRevert(refusal);
        wallet.claimPayout(epoch, 5, 1, miners[1], nets[1], proof);
        vm.expectRevert(refusal);
        wallet.claimPayout(epoch, 5, 1, miners[1], nets[1], new bytes32[](4));
    }

    /// @dev A tree whose leaves sum up to more than was reserved gives proofs to nobody whose path shows it.
    function test_r09_claimPayout_fromATreeThatPromisesTooMuch_reverts(uint64 lie) public {
        _epoch(4, 1);
        lie = uint64(bound(lie, 0, total - 1));
        // The hash of the real top node, with another sum.
        bytes32 top = bytes32(bytes.concat(bytes24(PayoutBuilder.top(levels)), bytes8(lie + 1)));
        vm.prank(hub.addr);
        uint32 epoch = wallet.postPayout(top, 4, 0);
        if (lie + 1 == total) return;
        for (uint256 i = 0; i < 4; ++i) {
            bytes32[] memory proof = PayoutBuilder.proof(levels, i);
            vm.expectRevert(abi.encodeWithSelector(IHubWallet.PayoutProofInvalid.selector, epoch, i));
            wallet.claimPayout(epoch, 4, uint32(i), miners[i], nets[i], proof);
        }
    }

    /// @dev Every epoch has its own reserve, bitmap and root.
    function test_r09_epochs_doNotTouchEachOther(uint256 seed) public {
        _epoch(3, seed);
        uint32 first = _postEpoch();
        bytes24 firstRoot = wallet.payout(first).root;
        uint64 firstNet = nets[2];
        _claim(first, 0);
        uint256 left = wallet.payout(first).reserve;
        uint32 second = _postEpoch();
        assertEq(second, first + 1);
        _claim(second, 0);
        _claim(second, 2);
        assertEq(wallet.payout(first).root, firstRoot);
        assertEq(wallet.payout(first).reserve, left);
        assertFalse(wallet.isClaimed(first, 2));
        _claim(first, 2);
        assertEq(token.balanceOf(miners[2]), 2 * uint256(firstNet));
    }

    /// @dev Claims need neither the hub nor a period: they work after payday and withdrawal.
    function test_r09_claimPayout_afterTheHubLeft_pays() public {
        _epoch(3, 9);
        uint32 epoch = _postEpoch();
        vm.warp(GENESIS + 30 days);
        vm.startPrank(hub.addr);
        wallet.payday();
        wallet.withdraw();
        vm.stopPrank();
        assertEq(uint8(wallet.state()), uint8(WalletState.Idle));
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(stranger.addr);
            _claim(epoch, i);
        }
        assertEq(token.balanceOf(address(wallet)), 0);
    }
}
