// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {BillChecker} from "./BillChecker.sol";
import {Freezer} from "./Freezer.sol";
import {ICaseRegister, ITreasuryInbox} from "./interfaces/IGovernment.sol";
import {IHubWallet} from "./interfaces/IHubWallet.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {Ledgers} from "./libraries/Ledgers.sol";
import {Marks} from "./libraries/Marks.sol";
import {TypedData} from "./libraries/TypedData.sol";
import {Deal, DealId, DealState, DealTerms} from "./types/Deal.sol";
import {Ledger, Payout, WalletConfig, WalletState} from "./types/Wallet.sol";

/// @title WalletCore
/// @notice What every function of a hub's wallet stands on: configuration, storage, views, checks, and how money leaves.
/// @dev Only `HubWallet` inherits it. A clone's configuration is its immutable arguments; there is no initialiser.
abstract contract WalletCore is IHubWallet, EIP712 {
    using Ledgers for Ledger;
    using Marks for mapping(uint256 word => uint256);
    using SafeERC20 for IERC20;
    using TypedData for DealTerms;

    /* IMMUTABLES */

    /// @dev Tells the implementation from its clones, which run the same code at another address.
    address private immutable IMPLEMENTATION = address(this);
    /// @dev What the freezers of all clones delegate to.
    address internal immutable FREEZER = address(new Freezer());
    /// @dev What reads the proofs against a bill.
    BillChecker internal immutable BILLS = new BillChecker();

    /* STORAGE */

    /// @inheritdoc IHubWallet
    WalletState public state;
    /// @inheritdoc IHubWallet
    uint64 public registeredAt;
    /// @inheritdoc IHubWallet
    uint64 public suspectedAt;
    /// @inheritdoc IHubWallet
    uint32 public payoutCount;
    /// @inheritdoc IHubWallet
    uint64 public payoutsUnclaimed;
    /// @inheritdoc IHubWallet
    address public freezer;
    Ledger internal _ledger;
    /// @inheritdoc IHubWallet
    mapping(address miner => uint128) public approvedTo;
    mapping(DealId dealId => Deal) internal _deals;
    mapping(uint32 epoch => Payout) internal _payouts;
    mapping(uint32 epoch => mapping(uint256 word => uint256)) internal _claimed;

    /* CONSTRUCTOR */

    /// @dev Of the implementation. Clones build their own domain: it names the chain they are on and their address (F3).
    constructor() EIP712("GIO", "1") {}

    /* VIEWS */

    /// @inheritdoc IHubWallet
    function ledger() external view returns (Ledger memory) {
        return _ledger;
    }

    /// @inheritdoc IHubWallet
    function freeBalance() external view returns (uint256) {
        return _free(_config());
    }

    /// @inheritdoc IHubWallet
    function ownBalance() external view returns (uint256) {
        return _ledger.own(_balance(_config()), payoutsUnclaimed);
    }

    /// @inheritdoc IHubWallet
    function payout(uint32 epoch) external view returns (Payout memory) {
        return _payouts[epoch];
    }

    /// @inheritdoc IHubWallet
    function isClaimed(uint32 epoch, uint32 index) external view returns (bool) {
        return _claimed[epoch].isTaken(index);
    }

    /// @inheritdoc IHubWallet
    function deal(DealId dealId) external view returns (Deal memory) {
        return _deals[dealId];
    }

    /// @inheritdoc IHubWallet
    function dealIdOf(DealTerms calldata terms) public view returns (DealId) {
        return DealId.wrap(_hashTypedDataV4(terms.hash()));
    }

    /// @inheritdoc IHubWallet
    function lockOf(uint128 gross) external view returns (uint128) {
        return Amounts.lockDown(gross, _config().parameters.lockPercent);
    }

    /// @inheritdoc IHubWallet
    function grossOf(uint128 net) external view returns (uint128) {
        return Amounts.grossUp(net, _config().parameters.lockPercent);
    }

    /// @inheritdoc IHubWallet
    function config() external view returns (WalletConfig memory) {
        return _config();
    }

    /// @inheritdoc IHubWallet
    function owner() external view returns (address) {
        return _config().owner;
    }

    /// @inheritdoc IHubWallet
    function factory() external view returns (address) {
        return _config().factory;
    }

    /// @inheritdoc IHubWallet
    function dao() external view returns (address) {
        return _config().parameters.dao;
    }

    /// @inheritdoc IHubWallet
    function treasury() external view returns (address) {
        return _config().parameters.treasury;
    }

    /// @inheritdoc IHubWallet
    function cases() external view returns (address) {
        return _config().parameters.cases;
    }

    /// @inheritdoc IHubWallet
    function token() external view returns (address) {
        return _config().parameters.token;
    }

    /// @inheritdoc IHubWallet
    function whitelist() external view returns (address) {
        return _config().parameters.whitelist;
    }

    /// @inheritdoc IHubWallet
    function freezeQuota() external view returns (uint128) {
        return _config().parameters.freezeQuota;
    }

    /// @inheritdoc IHubWallet
    function lockPercent() external view returns (uint8) {
        return _config().parameters.lockPercent;
    }

    /// @inheritdoc IHubWallet
    function daoFeePerMille() external view returns (uint16) {
        return _config().parameters.daoFeePerMille;
    }

    /// @inheritdoc IHubWallet
    function payoutPeriod() external view returns (uint32) {
        return _config().parameters.payoutPeriod;
    }

    /// @inheritdoc IHubWallet
    function suspicionPeriod() external view returns (uint32) {
        return _config().parameters.suspicionPeriod;
    }

    /* INTERNAL: MONEY */

    /// @dev Leaves Suspected: the balance comes back from the freezer, and nothing is held back any more.
    function _thaw(WalletConfig memory cfg, WalletState next) internal returns (uint256 amount) {
        state = next;
        _ledger.unfreeze();
        IERC20 token_ = IERC20(cfg.parameters.token);
        amount = token_.balanceOf(freezer);
        Freezer(freezer).release(token_, address(this), amount);
    }

    /// @dev What miners may pull or claim and what is in deals is not free, so it stays (R7).
    function _expropriateFree(WalletConfig memory cfg) internal {
        uint256 amount = _free(cfg);
        if (amount == 0) return;
        emit Expropriated(amount);
        address to = cfg.parameters.treasury;
        IERC20(cfg.parameters.token).forceApprove(to, amount);
        // forge-lint: disable-next-line(unsafe-typecast)
        ITreasuryInbox(to).lockExpropriated(uint128(amount)); // the supply is below 2^128
    }

    /// @dev While Suspected the money lies in the freezer: buyers are served from there.
    function _send(WalletConfig memory cfg, address to, uint256 amount) internal {
        if (amount == 0) return;
        IERC20 token_ = IERC20(cfg.parameters.token);
        if (state == WalletState.Suspected) Freezer(freezer).release(token_, to, amount);
        else token_.safeTransfer(to, amount);
    }

    /* INTERNAL: CHECKS */

    /// @dev Also the wall in front of the implementation, which has no arguments in its code (R11).
    function _config() internal view returns (WalletConfig memory) {
        if (address(this) == IMPLEMENTATION) revert CallToImplementation();
        return abi.decode(Clones.fetchCloneArgs(address(this)), (WalletConfig));
    }

    /// @dev The token alone, for calls whose gas counts: owner, factory and token are its first words.
    function _token() internal view returns (IERC20) {
        if (address(this) == IMPLEMENTATION) revert CallToImplementation();
        (,, address token_) = abi.decode(Clones.fetchCloneArgs(address(this)), (address, address, address));
        return IERC20(token_);
    }

    function _checkOwner(WalletConfig memory cfg) internal view {
        if (msg.sender != cfg.owner) revert NotOwner(msg.sender, cfg.owner);
    }

    function _checkDao(WalletConfig memory cfg) internal view {
        if (msg.sender != cfg.parameters.dao) revert NotDao(msg.sender, cfg.parameters.dao);
    }

    function _checkPayday(WalletConfig memory cfg) internal view {
        uint64 paydayAt = registeredAt + cfg.parameters.payoutPeriod;
        if (block.timestamp < paydayAt) revert PaydayTooEarly(paydayAt, uint64(block.timestamp));
        // Every open deal has a cap, so none is open exactly if nothing is in escrow.
        Ledger memory l = _ledger;
        if (l.escrow != 0) revert DealsOpen(l.escrow, l.guarantees);
        address cases_ = cfg.parameters.cases;
        if (cases_ == address(0)) return;
        uint64 since = ICaseRegister(cases_).accusedSince(address(this));
        if (since == 0) return;
        // A hub that is late with its payday is held for as long as one that is not.
        uint64 until = (since > paydayAt ? since : paydayAt) + cfg.parameters.payoutPeriod;
        if (block.timestamp < until) revert CaseUndecided(until);
    }

    function _bannableAt(WalletConfig memory cfg) internal view returns (uint64) {
        return suspectedAt + cfg.parameters.suspicionPeriod;
    }

    function _checkState(WalletState required) internal view {
        if (state != required) revert WalletStateMismatch(state, required);
    }

    function _checkFree(WalletConfig memory cfg, uint256 needed) internal view {
        uint256 free = _free(cfg);
        if (free < needed) revert FreeBalanceTooLow(free, needed);
    }

    function _free(WalletConfig memory cfg) internal view returns (uint256) {
        return _ledger.free(_balance(cfg), payoutsUnclaimed);
    }

    function _balance(WalletConfig memory cfg) internal view returns (uint256 balance) {
        IERC20 token_ = IERC20(cfg.parameters.token);
        balance = token_.balanceOf(address(this));
        if (state == WalletState.Suspected) balance += token_.balanceOf(freezer);
    }

    function _checkSignatures(
        WalletConfig memory cfg,
        address buyer,
        bytes32 digest,
        bytes calldata buyerSignature,
        bytes calldata hubSignature
    ) internal view {
        _checkBuyerSignature(buyer, digest, buyerSignature);
        if (!SignatureChecker.isValidSignatureNowCalldata(cfg.owner, digest, hubSignature)) {
            revert HubSignatureInvalid(cfg.owner, digest);
        }
    }

    function _checkBuyerSignature(address buyer, bytes32 digest, bytes calldata signature) internal view {
        if (!SignatureChecker.isValidSignatureNowCalldata(buyer, digest, signature)) {
            revert BuyerSignatureInvalid(buyer, digest);
        }
    }

    function _dealIn(DealTerms calldata terms, DealState required)
        internal
        view
        returns (DealId dealId, Deal storage deal_)
    {
        dealId = dealIdOf(terms);
        deal_ = _deals[dealId];
        if (deal_.state != required) revert DealStateMismatch(dealId, deal_.state);
    }

    function _dealUnended(DealTerms calldata terms) internal view returns (DealId dealId, Deal storage deal_) {
        dealId = dealIdOf(terms);
        deal_ = _deals[dealId];
        DealState stage = deal_.state;
        if (stage != DealState.Open && stage != DealState.Posted) revert DealStateMismatch(dealId, stage);
    }

    function _dealInWindow(DealTerms calldata terms) internal view returns (DealId dealId, Deal storage deal_) {
        (dealId, deal_) = _dealIn(terms, DealState.Posted);
        if (block.timestamp >= deal_.windowEnd) revert WindowOver(deal_.windowEnd, uint64(block.timestamp));
    }
}
