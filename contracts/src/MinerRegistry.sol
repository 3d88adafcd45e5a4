// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

import {IMinerRegistry} from "./interfaces/IMinerRegistry.sol";
import {Terms} from "./libraries/Terms.sol";
import {Delegation, Miner, RegistryParameters, Reservation} from "./types/Miner.sol";

/// @title MinerRegistry
/// @notice See {IMinerRegistry}.
contract MinerRegistry is IMinerRegistry, EIP712, Nonces {
    using SafeERC20 for IERC20;

    /* CONSTANTS */

    bytes32 private constant DELEGATION_TYPEHASH =
        keccak256("Delegation(address key,address owner,uint256 nonce,uint64 deadline)");

    /* IMMUTABLES */

    IERC20 private immutable TOKEN;
    address private immutable COURT;
    uint128 private immutable BOND_MIN;
    uint32 private immutable WITHDRAWAL_DELAY;

    /* STORAGE */

    mapping(address owner => Miner) private _miners;
    mapping(address key => Delegation) private _delegations;
    mapping(bytes32 claim => Reservation) private _reservations;

    /* CONSTRUCTOR */

    /// @param token_ What bonds are posted in.
    /// @param court_ Who puts bonds at risk, for ever; zero if there is no court.
    /// @param p Its parameters; the delay follows from them and the longest window a deal may have (R15).
    constructor(IERC20 token_, address court_, RegistryParameters memory p) EIP712("GIO", "1") {
        if (address(token_).code.length == 0 || p.bondMin == 0 || p.clock == 0) revert RegistryParametersInvalid();
        TOKEN = token_;
        COURT = court_;
        BOND_MIN = p.bondMin;
        WITHDRAWAL_DELAY = SafeCast.toUint32(Terms.WINDOW_MAX + 2 * uint256(p.clock) + p.grace);
    }

    modifier onlyCourt() {
        _checkCourt();
        _;
    }

    /* BONDS */

    /// @inheritdoc IMinerRegistry
    function bond(address owner, uint128 amount) external {
        if (amount == 0) revert BondAmountZero();
        if (owner == address(0) || ownerOf(owner) != owner) revert OwnerInvalid(owner);
        Miner storage m = _miners[owner];
        if (m.claimsLost != 0) revert OwnerOut(owner);

        m.bond += amount;
        emit Bonded(owner, msg.sender, amount, m.bond);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IMinerRegistry
    function requestWithdrawal(uint128 amount) external {
        if (amount == 0) revert BondAmountZero();
        Miner storage m = _miners[msg.sender];
        uint128 left = m.bond - m.leaving;
        if (left < amount) revert BondLeftTooLow(left, amount);

        m.leaving += amount;
        m.leavesAt = uint64(block.timestamp) + WITHDRAWAL_DELAY;
        emit WithdrawalRequested(msg.sender, m.leaving, m.leavesAt);
    }

    /// @inheritdoc IMinerRegistry
    function cancelWithdrawal() external {
        Miner storage m = _miners[msg.sender];
        if (m.leaving == 0) revert NothingLeaving(msg.sender);
        m.leaving = 0;
        m.leavesAt = 0;
        emit WithdrawalRequested(msg.sender, 0, 0);
    }

    /// @inheritdoc IMinerRegistry
    function withdraw() external returns (uint128 amount) {
        Miner storage m = _miners[msg.sender];
        if (m.leaving == 0) revert NothingLeaving(msg.sender);
        if (block.timestamp < m.leavesAt) revert LeavesLater(m.leavesAt, uint64(block.timestamp));
        // INVARIANT: what the court reserved stays until the court has decided.
        uint128 free = m.bond - m.atRisk;
        amount = m.leaving < free ? m.leaving : free;
        if (amount == 0) revert BondAtRisk(m.atRisk);

        m.bond -= amount;
        m.leaving -= amount;
        if (m.leaving == 0) m.leavesAt = 0;
        emit BondWithdrawn(msg.sender, amount, m.bond);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IMinerRegistry
    function setPayout(address to) external {
        if (to == address(0)) revert PayoutInvalid(to);
        _miners[msg.sender].payout = to;
        emit PayoutChanged(msg.sender, to);
    }

    /* KEYS */

    /// @inheritdoc IMinerRegistry
    function delegateKey(address key, uint64 deadline, bytes calldata consent) external {
        uint64 time = uint64(block.timestamp);
        if (time > deadline) revert ConsentExpired(deadline, time);
        // INVARIANT: one owner per key. A revocation that works already leaves the key free.
        Delegation storage d = _delegations[key];
        if (_lasts(d)) revert KeyTaken(key, d.owner);
        if (key != msg.sender && _answers(key)) revert KeyHasBond(key);
        // The nonce counts even if the consent was for an owner who never used it: a consent works once.
        bytes32 digest = _consentDigest(key, msg.sender, _useNonce(key), deadline);
        if (!SignatureChecker.isValidSignatureNowCalldata(key, digest, consent)) revert ConsentInvalid(key, digest);

        d.owner = msg.sender;
        d.endsAt = 0;
        emit KeyDelegated(key, msg.sender);
    }

    /// @inheritdoc IMinerRegistry
    function revokeKey(address key) external {
        Delegation storage d = _delegations[key];
        address owner = d.owner;
        if (owner == address(0) || d.endsAt != 0) revert KeyNotDelegated(key);
        if (msg.sender != owner && msg.sender != key) revert NotKeyHolder(msg.sender, key);
        d.endsAt = uint64(block.timestamp) + WITHDRAWAL_DELAY;
        emit KeyRevoked(key, owner, d.endsAt);
    }

    /* THE COURT */

    /// @inheritdoc IMinerRegistry
    function reserve(bytes32 claim, address owner, uint128 deposit) external onlyCourt returns (uint128 amount) {
        if (owner == address(0)) revert OwnerInvalid(owner);
        Reservation storage r = _reservations[claim];
        if (r.owner != address(0)) {
            if (r.owner != owner) revert ReservedOfOther(claim, r.owner);
            return r.amount;
        }
        Miner storage m = _miners[owner];
        uint128 free = m.bond - m.atRisk;
        amount = deposit < free ? deposit : free;

        r.owner = owner;
        r.amount = amount;
        m.atRisk += amount;
        emit BondReserved(claim, owner, amount);
    }

    /// @inheritdoc IMinerRegistry
    function release(bytes32 claim) external onlyCourt {
        (address owner, uint128 amount) = _end(claim);
        emit BondReleased(claim, owner, amount);
    }

    /// @inheritdoc IMinerRegistry
    function slash(bytes32 claim, address to) external onlyCourt returns (uint128 amount) {
        if (to == address(0)) revert PayoutInvalid(to);
        address owner;
        (owner, amount) = _end(claim);
        Miner storage m = _miners[owner];
        // INVARIANT: never above the bond, because what is at risk is part of it.
        m.bond -= amount;
        if (m.leaving > m.bond) m.leaving = m.bond;
        if (m.leaving == 0) m.leavesAt = 0;
        ++m.claimsLost;
        emit BondSlashed(claim, owner, to, amount);
        if (amount != 0) TOKEN.safeTransfer(to, amount);
    }

    /* VIEWS */

    /// @inheritdoc IMinerRegistry
    function isActive(address owner) public view returns (bool) {
        Miner storage m = _miners[owner];
        return m.claimsLost == 0 && m.bond >= BOND_MIN;
    }

    /// @inheritdoc IMinerRegistry
    function coveredUntil(address owner) external view returns (uint64) {
        if (!isActive(owner)) return 0;
        Miner storage m = _miners[owner];
        return m.bond - m.leaving >= BOND_MIN ? type(uint64).max : m.leavesAt;
    }

    /// @inheritdoc IMinerRegistry
    function ownerOf(address key) public view returns (address) {
        Delegation storage d = _delegations[key];
        return _lasts(d) ? d.owner : key;
    }

    /// @inheritdoc IMinerRegistry
    function payoutOf(address owner) external view returns (address) {
        address to = _miners[owner].payout;
        return to == address(0) ? owner : to;
    }

    /// @inheritdoc IMinerRegistry
    function miner(address owner) external view returns (Miner memory) {
        return _miners[owner];
    }

    /// @inheritdoc IMinerRegistry
    function delegation(address key) external view returns (Delegation memory) {
        return _delegations[key];
    }

    /// @inheritdoc IMinerRegistry
    function reservation(bytes32 claim) external view returns (Reservation memory) {
        return _reservations[claim];
    }

    /// @inheritdoc IMinerRegistry
    function consentDigest(address key, address owner, uint64 deadline) external view returns (bytes32) {
        return _consentDigest(key, owner, nonces(key), deadline);
    }

    /// @inheritdoc IMinerRegistry
    function withdrawalDelay() external view returns (uint32) {
        return WITHDRAWAL_DELAY;
    }

    /// @inheritdoc IMinerRegistry
    function bondMin() external view returns (uint128) {
        return BOND_MIN;
    }

    /// @inheritdoc IMinerRegistry
    function court() external view returns (address) {
        return COURT;
    }

    /// @inheritdoc IMinerRegistry
    function token() external view returns (address) {
        return address(TOKEN);
    }

    /* PRIVATE */

    function _end(bytes32 claim) private returns (address owner, uint128 amount) {
        Reservation storage r = _reservations[claim];
        owner = r.owner;
        if (owner == address(0)) revert NotReserved(claim);
        amount = r.amount;
        delete _reservations[claim];
        _miners[owner].atRisk -= amount;
    }

    /// @dev Such an owner could disown its claims by becoming somebody's machine. Below the least bond none of its claims
    /// counts; and anyone can give a key less than that, which must not keep it from being a machine.
    function _answers(address owner) private view returns (bool) {
        Miner storage m = _miners[owner];
        return m.bond >= BOND_MIN || m.atRisk != 0;
    }

    function _lasts(Delegation storage d) private view returns (bool) {
        return d.owner != address(0) && (d.endsAt == 0 || block.timestamp < d.endsAt);
    }

    function _consentDigest(address key, address owner, uint256 nonce, uint64 deadline) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(DELEGATION_TYPEHASH, key, owner, nonce, deadline)));
    }

    function _checkCourt() private view {
        if (msg.sender != COURT) revert NotCourt(msg.sender, COURT);
    }
}
