// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HubFactory} from "src/HubFactory.sol";
import {HubWallet} from "src/HubWallet.sol";
import {Whitelist} from "src/Whitelist.sol";
import {Cases} from "src/Cases.sol";
import {Dao} from "src/Dao.sol";
import {Timelock} from "src/Timelock.sol";
import {Treasury} from "src/Treasury.sol";
import {HubKind, HubRecord, WalletParameters, WalletState} from "src/types/Wallet.sol";
import {GovernanceBase} from "./GovernanceBase.sol";

/// @notice The whole government over a real hub's wallet.
abstract contract GovernmentBase is GovernanceBase {
    uint128 internal constant BOND = 30 * GIO;
    uint128 internal constant MONEY = 1000 * GIO;

    HubFactory internal hubs;
    HubWallet internal real;
    address internal miner = makeAddr("miner");

    function setUp() public virtual override {
        super.setUp();
        uint64 nonce = vm.getNonce(address(this));
        // The market around the same token: whitelist, cases and factory name each other.
        timelock = new Timelock(TIMELOCK_DELAY, vm.computeCreateAddress(address(this), nonce + 1));
        dao = new Dao(token, timelock, vm.computeCreateAddress(address(this), nonce + 5), _daoParameters());
        treasury = new Treasury(token, address(timelock), _treasuryParameters());
        HubWallet implementation = new HubWallet();
        whitelist = new Whitelist(vm.computeCreateAddress(address(this), nonce + 6));
        cases = new Cases(token, address(dao), address(treasury), address(whitelist), BOND_MIN);
        hubs = new HubFactory(address(implementation), _walletParameters());
        vm.prank(hub);
        real = HubWallet(hubs.createHub("first"));
        _fund(address(real), MONEY);
        _registerReal();
        skip(1);
    }

    function _walletParameters() internal view returns (WalletParameters memory) {
        return WalletParameters({
            token: address(token),
            dao: address(timelock),
            treasury: address(treasury),
            cases: address(cases),
            whitelist: address(whitelist),
            freezeQuota: 1 * GIO,
            lockPercent: 30,
            daoFeePerMille: 5,
            payoutPeriod: 30 days,
            suspicionPeriod: 120 days
        });
    }

    function _registerReal() internal {
        vm.prank(hub);
        real.register(HubRecord("/dns/hub", "hub", "", HubKind.Compute));
    }

    function _accuseReal() internal returns (uint256 caseId) {
        _fundFor(address(cases), stranger, BOND);
        vm.prank(stranger);
        caseId = cases.accuse(address(real), keccak256("evidence"), "https://evidence.example/7", BOND);
    }

    function _suspectReal() internal returns (uint256 caseId) {
        caseId = _accuseReal();
        _carryOut(caseId);
        cases.decide(caseId);
    }

    function _assertState(WalletState expected) internal view {
        assertEq(uint8(real.state()), uint8(expected), "wallet state");
    }
}
